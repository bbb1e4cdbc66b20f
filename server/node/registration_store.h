// What this process promised to keep registered, across restarts: identity, ttl
// and session, never an expiry.
#ifndef SERVER_NODE_REGISTRATION_STORE_H_
#define SERVER_NODE_REGISTRATION_STORE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/core/server.h"
#include "server/registry/database.h"

namespace coord {

struct StoredRegistration {
  Server server;
  std::string cluster_id;  // empty before the authority answered
  std::string session_id;
  std::optional<absl::Duration> ttl;  // nullopt: clusterd probes
  absl::Time register_time = absl::InfinitePast();
  std::string local_base_url;  // empty: the server is where it says
};

// Thread-safe. Keyed by (type, public_base_url, server_id).
class RegistrationStore {
 public:
  using Done = absl::AnyInvocable<void(absl::Status) &&>;

  explicit RegistrationStore(Database& database) : database_(database) {}

  // Inserts or replaces. OK means that it survives a crash. `done` as
  // Database::Done.
  void Save(StoredRegistration registration, Done done);
  void Delete(const Server& server, Done done);
  // Blocks; for the start.
  absl::StatusOr<std::vector<StoredRegistration>> Load();

 private:
  Database& database_;
};

}  // namespace coord

#endif  // SERVER_NODE_REGISTRATION_STORE_H_
