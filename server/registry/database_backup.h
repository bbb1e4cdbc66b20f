// A copy of a database that is made while the database is in use.
#ifndef SERVER_REGISTRY_DATABASE_BACKUP_H_
#define SERVER_REGISTRY_DATABASE_BACKUP_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/registry/file_descriptor.h"
#include "server/registry/sqlite.h"

struct sqlite3_backup;

namespace coord {

// Made in small steps on the thread of the source, between its transactions;
// what is written meanwhile is in the copy, too, so that the copy is what the
// database is at the last step. It must end before the source is closed.
class DatabaseBackup {
 public:
  // The copy gets the name `path` while it is made; what was there goes.
  // Errors: STORE_UNAVAILABLE.
  static absl::StatusOr<std::unique_ptr<DatabaseBackup>> Start(
      sqlite3* source, std::string path);
  // Removes the file.
  ~DatabaseBackup();
  DatabaseBackup(const DatabaseBackup&) = delete;
  DatabaseBackup& operator=(const DatabaseBackup&) = delete;

  // Copies some pages; the whole copy, open for reading, after the last one. It
  // has no name any more by then. Errors: STORE_UNAVAILABLE.
  absl::StatusOr<std::optional<FileDescriptor>> Step();

 private:
  explicit DatabaseBackup(std::string path) : path_(std::move(path)) {}

  const std::string path_;
  SqlitePtr copy_;
  sqlite3_backup* backup_ = nullptr;
};

}  // namespace coord

#endif  // SERVER_REGISTRY_DATABASE_BACKUP_H_
