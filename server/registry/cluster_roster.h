// Which clusters the embedded registry has.
#ifndef SERVER_REGISTRY_CLUSTER_ROSTER_H_
#define SERVER_REGISTRY_CLUSTER_ROSTER_H_

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/random/random.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/core/server.h"
#include "server/registry/server_tables.h"

namespace coord {

// Finds clusters, makes new ones within a limit, and forgets those that have
// been empty for long. Not those in which a registration of this process has
// its place or that somebody watches: who refers to such an id finds it again.
// A forgotten id is never used again. What a transaction forgot must be told
// once more after its commit: an earlier operation of it may have noted the id
// meanwhile. Of the writer thread, as the tables are.
class ClusterRoster {
 public:
  // Whether somebody watches the cluster with this id.
  using IsWatched = std::function<bool(const std::string& cluster_id)>;
  using Forgotten = std::vector<ClusterIdentity>;

  ClusterRoster(ServerTables& tables, std::size_t max_clusters,
                IsWatched is_watched)
      : tables_(tables),
        max_clusters_(max_clusters),
        is_watched_(std::move(is_watched)) {}

  // --- inside a transaction --------------------------------------------------

  // The id of the cluster of `type` and `public_base_url`. A new one may cost
  // the one its place that has been empty for longest. Errors:
  // RESOURCE_EXHAUSTED · TOO_MANY_CLUSTERS, STORE_UNAVAILABLE.
  absl::StatusOr<std::string> FindOrCreate(const std::string& type,
                                           const std::string& public_base_url,
                                           Forgotten& forgotten);
  // Forgets what has been empty since `before`, a moderate number at a time.
  // Errors: STORE_UNAVAILABLE.
  absl::Status ForgetEmpty(absl::Time before, Forgotten& forgotten);

  // --- after its commit ------------------------------------------------------

  void Note(const ClusterIdentity& cluster);
  void Forget(const Forgotten& forgotten);

 private:
  using TypeAndUrl = std::pair<std::string, std::string>;

  absl::Status MakeRoom(const std::string& type, Forgotten& forgotten);
  absl::StatusOr<Forgotten> Forgettable(absl::Time before, std::size_t most);
  absl::Status Delete(Forgotten clusters, Forgotten& forgotten);
  void Forget(const ClusterIdentity& cluster);

  ServerTables& tables_;
  const std::size_t max_clusters_;
  const IsWatched is_watched_;
  absl::BitGen random_;
  absl::flat_hash_map<TypeAndUrl, std::string> ids_;  // of those lately used
};

}  // namespace coord

#endif  // SERVER_REGISTRY_CLUSTER_ROSTER_H_
