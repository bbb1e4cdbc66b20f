// Opening the database file: who may, and what is wrong with it.
#ifndef SERVER_REGISTRY_DATABASE_FILE_H_
#define SERVER_REGISTRY_DATABASE_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "server/registry/file_descriptor.h"
#include "server/registry/sqlite.h"

namespace coord {

// The lock on the directory outlives the connection.
struct DatabaseFile {
  FileDescriptor lock;
  SqlitePtr db;
};

// Opens `<data_dir>/clusterd.db` for this process alone, creating both where
// they are missing; an empty `data_dir` is a database in memory. Errors: see
// Database::Open.
absl::StatusOr<DatabaseFile> OpenDatabaseFile(const std::string& data_dir);

}  // namespace coord

#endif  // SERVER_REGISTRY_DATABASE_FILE_H_
