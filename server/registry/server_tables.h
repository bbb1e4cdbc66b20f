// The rows of clusters and servers, and which clusters have none. Used inside
// transactions, on the thread of their database.
#ifndef SERVER_REGISTRY_SERVER_TABLES_H_
#define SERVER_REGISTRY_SERVER_TABLES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/core/server.h"
#include "server/registry/sqlite.h"

namespace coord {

// How the database keeps it.
inline std::int64_t NodeApiColumn(NodeApi node_api) {
  return static_cast<std::int64_t>(node_api);
}
inline NodeApi NodeApiFromColumn(std::int64_t column) {
  return column == NodeApiColumn(NodeApi::kUnknown) ? NodeApi::kUnknown
                                                    : NodeApiIf(column != 0);
}

// Errors of all: STORE_UNAVAILABLE.
class ServerTables {
 public:
  explicit ServerTables(sqlite3* db);

  // The id of the cluster of `type` and `public_base_url`; empty when there is
  // none. Clusters stay when their last server leaves.
  absl::StatusOr<std::string> FindCluster(std::string_view type,
                                          std::string_view public_base_url);
  // There must be none.
  absl::Status InsertCluster(const ClusterIdentity& cluster);
  // It must be empty.
  absl::Status DeleteCluster(std::string_view cluster_id);
  absl::StatusOr<std::size_t> CountClusters();
  // Clusters whose last server left at `before` or earlier, and in which no
  // registration of this process has its place: `most` of them at the most,
  // those that have been empty for longest first.
  absl::StatusOr<std::vector<ClusterIdentity>> EmptyClusters(absl::Time before,
                                                             std::size_t most);

  // A date for a record of the cluster: `now` to the millisecond, and later
  // than every one before.
  absl::StatusOr<absl::Time> NextVersion(std::string_view cluster_id,
                                         absl::Time now);

  // nullptr when there is none.
  absl::StatusOr<ServerPtr> Find(const ServerKey& key);
  absl::Status Put(const ServerKey& key, const Server& server);
  // At `now`, the time of day.
  absl::Status Delete(const ServerKey& key, absl::Time now);
  absl::Status ForEach(
      absl::FunctionRef<void(const ServerKey&, ServerPtr)> visit);

 private:
  sqlite3* db_;
  Statement find_cluster_{
      db_, "SELECT id FROM clusters WHERE type = ? AND public_base_url = ?"};
  Statement insert_cluster_{
      db_,
      "INSERT INTO clusters (id, type, public_base_url, last_version)"
      " VALUES (?, ?, ?, 0)"};
  Statement delete_cluster_{db_, "DELETE FROM clusters WHERE id = ?"};
  Statement count_clusters_{db_, "SELECT count(*) FROM clusters"};
  Statement empty_clusters_{
      db_,
      "SELECT id, type, public_base_url FROM clusters"
      " WHERE emptied_time BETWEEN 1 AND ? AND NOT EXISTS"
      "  (SELECT 1 FROM registrations AS r WHERE r.type = clusters.type"
      "   AND r.public_base_url = clusters.public_base_url)"
      " ORDER BY emptied_time LIMIT ?"};
  Statement mark_empty_{
      db_,
      "UPDATE clusters SET emptied_time = max(?2, 1) WHERE id = ?1"
      " AND NOT EXISTS (SELECT 1 FROM servers WHERE cluster_id = ?1)"};
  Statement mark_used_{
      db_,
      "UPDATE clusters SET emptied_time = 0 WHERE id = ? AND emptied_time > 0"};
  Statement next_version_{
      db_,
      "UPDATE clusters SET last_version = max(?, last_version + 1)"
      " WHERE id = ? RETURNING last_version"};
  Statement find_server_;
  Statement put_server_{
      db_, "INSERT OR REPLACE INTO servers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"};
  Statement delete_server_{
      db_, "DELETE FROM servers WHERE cluster_id = ? AND server_id = ?"};
};

}  // namespace coord

#endif  // SERVER_REGISTRY_SERVER_TABLES_H_
