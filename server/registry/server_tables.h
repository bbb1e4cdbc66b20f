// The rows of clusters and servers. Used inside transactions, on the thread of
// their database.
#ifndef SERVER_REGISTRY_SERVER_TABLES_H_
#define SERVER_REGISTRY_SERVER_TABLES_H_

#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/random/bit_gen_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/core/server.h"
#include "server/registry/sqlite.h"

namespace coord {

// Errors of all: STORE_UNAVAILABLE.
class ServerTables {
 public:
  explicit ServerTables(sqlite3* db);

  // The id of the cluster of `type` and `public_base_url`; a random one when it
  // is new. Clusters stay when their last server leaves.
  absl::StatusOr<std::string> FindOrCreateCluster(
      std::string_view type, std::string_view public_base_url,
      absl::BitGenRef random);

  // A date for a record of the cluster: `now` to the millisecond, and later
  // than every one before.
  absl::StatusOr<absl::Time> NextVersion(std::string_view cluster_id,
                                         absl::Time now);

  // nullptr when there is none.
  absl::StatusOr<ServerPtr> Find(const ServerKey& key);
  absl::Status Put(const ServerKey& key, const Server& server);
  absl::Status Delete(const ServerKey& key);
  absl::Status ForEach(
      absl::FunctionRef<void(const ServerKey&, ServerPtr)> visit);

 private:
  sqlite3* db_;
  Statement find_cluster_{
      db_, "SELECT id FROM clusters WHERE type = ? AND public_base_url = ?"};
  Statement insert_cluster_{db_, "INSERT INTO clusters VALUES (?, ?, ?, 0)"};
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
