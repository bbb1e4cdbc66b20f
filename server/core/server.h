// The records that everything is about.
#ifndef SERVER_CORE_SERVER_H_
#define SERVER_CORE_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"

namespace coord {

// Names one exact state of a server's record; only the authority that made it
// can read more out of it. (mIT: `updatedAt`, else `createdAt`, verbatim.)
struct RecordVersion {
  std::string text;

  friend bool operator==(const RecordVersion&, const RecordVersion&) = default;
};

struct ServerKey {
  std::string cluster_id;
  std::string server_id;

  friend bool operator==(const ServerKey&, const ServerKey&) = default;
  friend auto operator<=>(const ServerKey&, const ServerKey&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const ServerKey& k) {
    return H::combine(std::move(h), k.cluster_id, k.server_id);
  }
};

enum class ServerState { kActive, kSuspected, kDraining };

// One running instance of a service, as the authority has it.
struct Server {
  std::string type;
  std::string server_id;
  std::string cluster_base_url;
  std::string public_base_url;
  std::string location_json = "null";  // any JSON value, never read
  // Members of the record that we know nothing of, as a JSON object; kept and
  // passed on. Empty: none.
  std::string extra_json;
  bool node_api = false;  // serves the node API below cluster_base_url
  ServerState state = ServerState::kActive;
  absl::Time create_time = absl::InfinitePast();
  absl::Time update_time = absl::InfinitePast();
  RecordVersion version;

  friend bool operator==(const Server&, const Server&) = default;
};

// What a record costs in memory, about.
std::size_t BytesOf(const Server& server);

using ServerPtr = std::shared_ptr<const Server>;

struct ClusterIdentity {
  std::string id;
  std::string type;
  std::string public_base_url;

  friend bool operator==(const ClusterIdentity&,
                         const ClusterIdentity&) = default;
};

// A membership at one revision. Immutable.
struct ClusterSnapshot {
  ClusterIdentity identity;
  std::int64_t revision = 0;
  absl::Time update_time = absl::InfinitePast();
  std::vector<ServerPtr> servers;  // by server_id

  // nullptr when it is no member. Logarithmic.
  ServerPtr Find(std::string_view server_id) const;
};

using SnapshotPtr = std::shared_ptr<const ClusterSnapshot>;

// The same without the servers: costs nothing, however many there are.
struct ClusterSummary {
  ClusterIdentity identity;
  std::int64_t revision = 0;
  absl::Time update_time = absl::InfinitePast();
  std::size_t servers = 0;
  std::size_t node_api_servers = 0;  // of those
  std::size_t held = 0;              // of those, registered by this process
};

enum class ChangeType { kJoined, kUpdated, kLeft, kEvicted };

struct Change {
  ChangeType type;
  ServerPtr server;  // as it is now; for kLeft and kEvicted as it was last
};

}  // namespace coord

#endif  // SERVER_CORE_SERVER_H_
