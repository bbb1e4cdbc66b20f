#include "server/registry/schema.h"

#include <sqlite3.h>

#include <array>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/registry/sqlite.h"

namespace coord {
namespace {

// Step n leads from version n to version n + 1. Steps are never edited once
// released. Times are milliseconds since 1970; a version of a record is one
// too.
constexpr std::array<const char*, kSchemaVersion> kSteps = {
    R"sql(
CREATE TABLE clusters (
  id TEXT NOT NULL PRIMARY KEY,
  type TEXT NOT NULL,
  public_base_url TEXT NOT NULL,
  last_version INTEGER NOT NULL,
  UNIQUE (type, public_base_url)
) STRICT, WITHOUT ROWID;

CREATE TABLE servers (
  cluster_id TEXT NOT NULL,
  server_id TEXT NOT NULL,
  cluster_base_url TEXT NOT NULL,
  location_json TEXT NOT NULL,
  extra_json TEXT NOT NULL,
  node_api INTEGER NOT NULL,
  draining INTEGER NOT NULL,
  create_time INTEGER NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (cluster_id, server_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE registrations (
  type TEXT NOT NULL,
  public_base_url TEXT NOT NULL,
  server_id TEXT NOT NULL,
  cluster_base_url TEXT NOT NULL,
  location_json TEXT NOT NULL,
  extra_json TEXT NOT NULL,
  node_api INTEGER NOT NULL,
  draining INTEGER NOT NULL,
  create_time INTEGER,
  update_time INTEGER,
  version TEXT NOT NULL,
  cluster_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  ttl_ms INTEGER,
  register_time INTEGER,
  PRIMARY KEY (type, public_base_url, server_id)
) STRICT, WITHOUT ROWID;
)sql",
    R"sql(
ALTER TABLE registrations ADD COLUMN local_base_url TEXT NOT NULL DEFAULT '';
)sql",
    // 0: there are servers. Whenever it was that the others became empty, they
    // had a record to write then.
    R"sql(
ALTER TABLE clusters ADD COLUMN emptied_time INTEGER NOT NULL DEFAULT 0;
UPDATE clusters SET emptied_time = max(last_version, 1)
  WHERE NOT EXISTS (SELECT 1 FROM servers WHERE cluster_id = clusters.id);
CREATE INDEX clusters_by_emptied_time ON clusters (emptied_time);
)sql",
};

}  // namespace

absl::Status UpgradeSchema(sqlite3* db, std::int64_t version) {
  std::string script = "BEGIN IMMEDIATE;";
  for (std::int64_t step = version; step < kSchemaVersion; ++step) {
    script += kSteps.at(static_cast<std::size_t>(step));
  }
  absl::StrAppend(&script, "PRAGMA application_id = ", kApplicationId,
                  "; PRAGMA user_version = ", kSchemaVersion, "; COMMIT;");
  if (sqlite3_exec(db, script.c_str(), nullptr, nullptr, nullptr) ==
      SQLITE_OK) {
    return absl::OkStatus();
  }
  absl::Status error = StoreError(db, "bring the store's schema up to date");
  sqlite3_exec(db, "ROLLBACK", nullptr, nullptr, nullptr);
  return error;
}

}  // namespace coord
