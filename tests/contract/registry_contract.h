// The acceptance suite of registries: what every implementation of Registry
// must do, whoever is behind it. An implementation passes it by writing a
// harness and instantiating the suite in a test program of its own, beside
// registry_contract.cc:
//
//   INSTANTIATE_TEST_SUITE_P(Embedded, RegistryContract,
//                            testing::Values(&MakeEmbeddedHarness));
#ifndef TESTS_CONTRACT_REGISTRY_CONTRACT_H_
#define TESTS_CONTRACT_REGISTRY_CONTRACT_H_

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/registry/registry.h"

namespace coord {

// What an authority can't offer is declared here, in its harness, and nowhere
// else; tests of it are skipped.
struct RegistryCapabilities {
  // A server that does not renew is removed, and AdvanceTime shows it.
  bool expires_leases = true;
  // Remove is refused for a server that renewed without a change.
  bool sees_renewals = true;
  // A renewal that changes nothing leaves the version as it is.
  bool keeps_version_of_unchanged = true;
  // Server::state is stored and given to others.
  bool stores_draining = true;
  // Clusters are told apart by their public_base_url as well.
  bool clusters_by_public_base_url = true;
  // Server::node_api is stored and given to others.
  bool stores_node_api = true;
  // Restart brings the authority back with what it had acknowledged.
  bool survives_restart = true;
};

// One authority, and one Registry that speaks to it.
class RegistryHarness {
 public:
  using Published = std::pair<ClusterIdentity, Change>;

  virtual ~RegistryHarness() = default;

  virtual RegistryCapabilities capabilities() const = 0;
  virtual Registry& registry() = 0;

  // What the listener has heard since the last call, in order. Empty where
  // changes are not pushed.
  virtual std::vector<Published> TakeChanges() = 0;

  // Now as evidence has it (EventLoop::Now).
  virtual absl::Time Now() = 0;

  // Lets time pass for registry and authority, and waits for what follows.
  virtual void AdvanceTime(absl::Duration by) = 0;
  // How long a server lives that does not renew.
  virtual absl::Duration life_without_renewal() const = 0;

  // Ends the authority and starts it again with what it has kept.
  virtual void Restart() = 0;
};

using HarnessFactory = std::unique_ptr<RegistryHarness> (*)();

class RegistryContract : public testing::TestWithParam<HarnessFactory> {
 protected:
  RegistryContract() : harness_(GetParam()()) {}

  RegistryCapabilities capabilities() const { return harness_->capabilities(); }
  bool pushes() { return harness_->registry().PushesChanges(); }

  // Calls and waits.
  absl::StatusOr<RegisterAnswer> Register(const Server& server);
  absl::StatusOr<Removed> Unregister(const ServerKey& key);
  absl::StatusOr<Removal> Remove(const ServerKey& key,
                                 const Evidence& evidence);

  // Registers what must succeed.
  RegisterAnswer MustRegister(const Server& server);

  // The servers in the cluster that `like` belongs to, by id: from what was
  // pushed, or from the answer to a server that registers only to ask and is
  // left out here.
  std::map<std::string, Server> Members(const Server& like);

  // What was pushed since the last look.
  std::vector<RegistryHarness::Published> TakeChanges();

  // Restarts the authority.
  void Restart();

  std::unique_ptr<RegistryHarness> harness_;

 private:
  std::map<ServerKey, Server> pushed_;
};

// A server of type `mTest` with a location and an address of its own.
Server TestServer(std::string_view server_id);

}  // namespace coord

#endif  // TESTS_CONTRACT_REGISTRY_CONTRACT_H_
