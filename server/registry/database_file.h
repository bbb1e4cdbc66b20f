// Opening the database file: who may, and what is wrong with it.
#ifndef SERVER_REGISTRY_DATABASE_FILE_H_
#define SERVER_REGISTRY_DATABASE_FILE_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "server/registry/sqlite.h"

namespace coord {

// A file descriptor that is closed at the end.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor();

  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

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
