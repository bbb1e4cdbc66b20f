// The tables in the database file, and how older files come up to date.
#ifndef SERVER_REGISTRY_SCHEMA_H_
#define SERVER_REGISTRY_SCHEMA_H_

#include <cstdint>

#include "absl/status/status.h"

struct sqlite3;

namespace coord {

// `PRAGMA application_id` of a file of ours: "clud".
inline constexpr std::int64_t kApplicationId = 0x636c7564;
// `PRAGMA user_version` that this program writes.
inline constexpr std::int64_t kSchemaVersion = 3;

// Brings a database at `version` (0: without tables) to kSchemaVersion, in one
// transaction. Errors: STORE_UNAVAILABLE.
absl::Status UpgradeSchema(sqlite3* db, std::int64_t version);

}  // namespace coord

#endif  // SERVER_REGISTRY_SCHEMA_H_
