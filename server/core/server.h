// The records that everything is about.
#ifndef SERVER_CORE_SERVER_H_
#define SERVER_CORE_SERVER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/time/time.h"
#include "server/core/server_list.h"

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

// Whether a server serves the node API. Unknown: its record comes from mIT,
// which does not keep it, and the server has not answered there yet.
enum class NodeApi { kNo = 0, kYes = 1, kUnknown = 2 };  // stored as these

inline NodeApi NodeApiIf(bool served) {
  return served ? NodeApi::kYes : NodeApi::kNo;
}

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
  NodeApi node_api = NodeApi::kNo;  // below cluster_base_url
  ServerState state = ServerState::kActive;
  absl::Time create_time = absl::InfinitePast();
  absl::Time update_time = absl::InfinitePast();
  RecordVersion version;

  friend bool operator==(const Server&, const Server&) = default;
};

// What a record costs in memory, about.
std::size_t BytesOf(const Server& server);

struct ClusterIdentity {
  std::string id;
  std::string type;
  std::string public_base_url;

  friend bool operator==(const ClusterIdentity&,
                         const ClusterIdentity&) = default;
};

// How old what was known to be true at `known_at` is at `now`, both
// EventLoop::Now; never negative. A `known_at` in the infinite future is for
// what is always true, one in the infinite past for what never was known, which
// is infinitely old.
inline absl::Duration AgeOf(absl::Time known_at, absl::Time now) {
  return std::max(now - known_at, absl::ZeroDuration());
}

// A membership at one revision. Immutable.
struct ClusterSnapshot {
  ClusterIdentity identity;
  std::int64_t revision = 0;
  absl::Time update_time = absl::InfinitePast();
  // When the authority's word was this, for AgeOf.
  absl::Time known_at = absl::InfinitePast();
  ServerList servers;

  // nullptr when it is no member. Logarithmic.
  ServerPtr Find(std::string_view server_id) const {
    return servers.Find(server_id);
  }
};

using SnapshotPtr = std::shared_ptr<const ClusterSnapshot>;

// The same without the servers: costs nothing, however many there are.
struct ClusterSummary {
  ClusterIdentity identity;
  std::int64_t revision = 0;
  absl::Time update_time = absl::InfinitePast();
  absl::Time known_at = absl::InfinitePast();  // for AgeOf
  std::size_t servers = 0;
  std::size_t node_api_servers = 0;  // of those, that serve it or may
  std::size_t held = 0;              // of those, registered by this process
};

enum class ChangeType { kJoined, kUpdated, kLeft, kEvicted };

struct Change {
  ChangeType type;
  ServerPtr server;  // as it is now; for kLeft and kEvicted as it was last
};

}  // namespace coord

#endif  // SERVER_CORE_SERVER_H_
