#include "server/registry/database_backup.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"

namespace coord {
namespace {

// 256 KiB: a millisecond or two.
constexpr int kPagesInAStep = 64;

absl::Status FileError(const std::string& path) {
  return MakeError(Reason::kStoreUnavailable,
                   absl::StrCat("back up the store: create ", path, ": ",
                                std::generic_category().message(errno)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<DatabaseBackup>> DatabaseBackup::Start(
    sqlite3* source, std::string path) {
  unlink(path.c_str());
  // SQLite would let others read it.
  const FileDescriptor created(
      open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
  if (created.get() < 0) return FileError(path);
  auto backup = absl::WrapUnique(new DatabaseBackup(std::move(path)));
  sqlite3* copy = nullptr;
  const int opened =
      sqlite3_open_v2(backup->path_.c_str(), &copy,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  backup->copy_.reset(copy);
  if (opened != SQLITE_OK) return StoreError(copy, "back up the store");
  // Nobody reads it before it is whole.
  sqlite3_exec(copy, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF",
               nullptr, nullptr, nullptr);
  backup->backup_ = sqlite3_backup_init(copy, "main", source, "main");
  if (backup->backup_ == nullptr) return StoreError(copy, "back up the store");
  return backup;
}

DatabaseBackup::~DatabaseBackup() {
  if (backup_ != nullptr) sqlite3_backup_finish(backup_);
  copy_.reset();
  unlink(path_.c_str());
}

absl::StatusOr<std::optional<FileDescriptor>> DatabaseBackup::Step() {
  const int stepped = sqlite3_backup_step(backup_, kPagesInAStep);
  if (stepped == SQLITE_OK) return std::nullopt;
  const int finished = sqlite3_backup_finish(std::exchange(backup_, nullptr));
  if (stepped != SQLITE_DONE || finished != SQLITE_OK) {
    return StoreError(copy_.get(), "back up the store");
  }
  copy_.reset();
  FileDescriptor file(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return FileError(path_);
  return file;
}

}  // namespace coord
