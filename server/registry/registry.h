// The one interface to an authority: who holds clusters and grants leases.
#ifndef SERVER_REGISTRY_REGISTRY_H_
#define SERVER_REGISTRY_REGISTRY_H_

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/core/server.h"

namespace coord {

struct RegisterRequest {
  Server server;        // dates and version are ignored
  bool managed = true;  // cluster management is on
  std::string correlation_id;
};

struct RegisterAnswer {
  ClusterIdentity cluster;
  Server record;  // as the authority has it now
  // How soon the server must register again. Positive, as granted; the caller
  // corrects what makes no sense.
  absl::Duration lease = absl::Hours(2);
  // All servers of the cluster; absent where changes are pushed.
  std::optional<std::vector<Server>> servers;
};

// How a conditional removal ended.
struct Removed {};    // it is gone; it may have been before
struct NewerRecord {  // it stays: this record is newer than the evidence
  Server record;
};
using Removal = std::variant<Removed, NewerRecord>;

// What a removal rests on.
struct Evidence {
  RecordVersion seen;  // the record that was found dead
  // When (EventLoop::Now) the finding began. An authority that sees renewals
  // refuses the removal of a server that renewed after this.
  absl::Time since = absl::InfiniteFuture();
};

// Thread-safe. Every `done` is called exactly once, on any thread, never inside
// the call.
class Registry {
 public:
  template <typename T>
  using Done = absl::AnyInvocable<void(absl::StatusOr<T>) &&>;

  virtual ~Registry() = default;

  // Registers or renews; the same call. The record is keyed by (cluster,
  // server_id), the cluster by (type, public_base_url). A renewal that changes
  // nothing leaves version and dates as they are. Success means that it
  // survives a crash of the authority. Errors: UNAVAILABLE ·
  // AUTHORITY_UNAVAILABLE or STORE_UNAVAILABLE, FAILED_PRECONDITION ·
  // AUTHORITY_REJECTED_CREDENTIALS, INTERNAL · AUTHORITY_BAD_ANSWER,
  // INVALID_ARGUMENT (the authority finds the record wrong).
  virtual void Register(RegisterRequest request, Done<RegisterAnswer> done) = 0;

  // Removes a server whatever its version. Gone already is not an error.
  // `type` names the credentials to use.
  virtual void Unregister(const ServerKey& key, const std::string& type,
                          Done<Removed> done) = 0;

  // Removes a server unless its record is newer than the evidence. Gone already
  // counts as removed. Errors: as Register.
  virtual void Remove(const ServerKey& key, const std::string& type,
                      const Evidence& evidence, Done<Removal> done) = 0;

  // This process has done with a server that it registered: what is remembered
  // of it may go.
  virtual void Forget(const ServerKey& /*key*/, const std::string& /*type*/) {}
  // What waits for somebody else is answered with UNAVAILABLE · DRAINING, which
  // says whether anything was sent; so is what is asked from now on.
  virtual void Stop() {}

  // Whether this authority pushes every change to the listener that it was
  // built with; otherwise answers carry whole lists.
  virtual bool PushesChanges() const = 0;
};

// Hears of every change that became durable, in order for each cluster; called
// on a thread of the registry and before the change is acknowledged.
using ChangeListener =
    std::function<void(const ClusterIdentity&, const Change&)>;

}  // namespace coord

#endif  // SERVER_REGISTRY_REGISTRY_H_
