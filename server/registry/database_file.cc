#include "server/registry/database_file.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/text_view.h"
#include "server/registry/schema.h"

namespace coord {
namespace {

constexpr std::string_view kLocked =
    "locked by another process; stop it, or choose another data_dir";
constexpr std::string_view kForeign =
    "not a database of clusterd; choose another data_dir, or move the file "
    "away";
constexpr std::string_view kDamaged =
    "the database is damaged; restore it from a backup, or move clusterd.db "
    "and "
    "clusterd.db-wal away to start without registrations";
constexpr std::string_view kReadOnly =
    "no permission to write; make data_dir and the files in it writable for "
    "the user that clusterd runs as";

constexpr int kMaxRestingLogBytes = 16 << 20;

absl::Status Refused(const std::string& path, std::string_view cause) {
  return absl::FailedPreconditionError(
      absl::StrCat("open ", path, ": ", AbslView(cause)));
}

absl::Status NoPermission(const std::string& path) {
  return absl::PermissionDeniedError(
      absl::StrCat("open ", path, ": ", AbslView(kReadOnly)));
}

bool IsPermissionErrno(int error) {
  return error == EACCES || error == EPERM || error == EROFS;
}

// What a failed system call on `path` means.
absl::Status SystemError(const std::string& path, std::string_view action) {
  const int error = errno;
  if (IsPermissionErrno(error)) return NoPermission(path);
  return MakeError(Reason::kStoreUnavailable,
                   absl::StrCat(AbslView(action), " ", path, ": ",
                                std::generic_category().message(error),
                                "; check data_dir and its file system"));
}

// What a failed SQLite call on `path` means.
absl::Status Diagnose(sqlite3* db, const std::string& path) {
  switch (sqlite3_errcode(db) & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Refused(path, kLocked);
    case SQLITE_NOTADB:
      return Refused(path, kForeign);
    case SQLITE_CORRUPT:
      return Refused(path, kDamaged);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return NoPermission(path);
    case SQLITE_FULL:
      return MakeError(
          Reason::kStoreUnavailable,
          absl::StrCat("open ", path,
                       ": the disk is full; free space, then start again"));
    default:
      if (IsPermissionErrno(sqlite3_system_errno(db))) {
        return NoPermission(path);
      }
      return MakeError(Reason::kStoreUnavailable,
                       absl::StrCat("open ", path, ": ", sqlite3_errmsg(db),
                                    "; check data_dir and its file system"));
  }
}

absl::StatusOr<SqlitePtr> Connect(const std::string& path, int flags) {
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(
      path.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
      nullptr);
  SqlitePtr db(raw);
  if (code != SQLITE_OK) return Diagnose(raw, path);
  return db;
}

absl::StatusOr<std::string> Pragma(sqlite3* db, const std::string& path,
                                   std::string_view pragma) {
  std::string value;
  const absl::Status status =
      Statement(db, absl::StrCat("PRAGMA ", AbslView(pragma)))
          .Query([&value](const Row& row) { value = row.Text(0); });
  if (!status.ok()) return Diagnose(db, path);
  return value;
}

// Makes `data_dir` and takes its lock. The lock is SQLite's business too, but
// SQLite has none while the file is being created.
absl::StatusOr<FileDescriptor> LockDirectory(const std::string& data_dir) {
  if (mkdir(data_dir.c_str(), 0700) != 0 && errno != EEXIST) {
    return SystemError(data_dir, "create");
  }
  FileDescriptor directory(
      open(data_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) return SystemError(data_dir, "open");
  if (flock(directory.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return Refused(data_dir, kLocked);
  }
  return directory;
}

// A failed step is rolled back, and SQLite then knows of no error any more.
absl::Status Upgrade(sqlite3* db, const std::string& path,
                     std::int64_t version) {
  const absl::Status status = UpgradeSchema(db, version);
  if (status.ok()) return status;
  return sqlite3_errcode(db) == SQLITE_OK ? Annotate(status, "open " + path)
                                          : Diagnose(db, path);
}

// Creates the file under another name first, so that an empty or half-made
// clusterd.db is never the rest of a crash, but a loss that must be told.
absl::Status CreateFile(const std::string& path, int directory) {
  if (access((path + "-wal").c_str(), F_OK) == 0) {
    return Refused(path,
                   "the file is missing, but its clusterd.db-wal is "
                   "there; restore both from a backup, or move "
                   "clusterd.db-wal away to start without registrations");
  }
  const std::string unfinished = path + ".new";
  unlink(unfinished.c_str());
  // SQLite would let others read it.
  FileDescriptor file(
      open(unfinished.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
  if (file.get() < 0) return SystemError(path, "create");
  absl::StatusOr<SqlitePtr> db = Connect(unfinished, SQLITE_OPEN_READWRITE);
  if (!db.ok()) return db.status();
  absl::Status made = Upgrade(db->get(), path, 0);
  if (!made.ok()) return made;
  db->reset();
  if (rename(unfinished.c_str(), path.c_str()) != 0 || fsync(directory) != 0) {
    return SystemError(path, "create");
  }
  return absl::OkStatus();
}

// Refuses what is not ours before anything is written to it.
absl::Status CheckOwnership(sqlite3* db, const std::string& path,
                            std::int64_t& version) {
  const absl::StatusOr<std::string> application =
      Pragma(db, path, "application_id");
  if (!application.ok()) return application.status();
  if (*application != absl::StrCat(kApplicationId)) {
    return Refused(path, kForeign);
  }
  const absl::Status status =
      Statement(db, "PRAGMA user_version").Query([&version](const Row& row) {
        version = row.Int(0);
      });
  if (!status.ok()) return Diagnose(db, path);
  if (version < 0 || version > kSchemaVersion) {
    return Refused(
        path, absl::StrCat("written by a newer clusterd (schema ", version,
                           ", this one knows ", kSchemaVersion,
                           "); run that version, or choose another data_dir"));
  }
  return absl::OkStatus();
}

absl::Status Prepare(sqlite3* db, const std::string& path) {
  if (sqlite3_db_readonly(db, "main") != 0) return NoPermission(path);
  // Before WAL: then the lock is taken at once and for good, and no shared
  // memory is needed.
  auto mode = Pragma(db, path, "locking_mode = EXCLUSIVE");
  if (!mode.ok()) return mode.status();
  std::int64_t version = 0;
  absl::Status status = CheckOwnership(db, path, version);
  if (!status.ok()) return status;
  auto journal = Pragma(db, path, "journal_mode = WAL");
  if (!journal.ok()) return journal.status();
  if (*journal != "wal") return Diagnose(db, path);
  auto synchronous = Pragma(db, path, "synchronous = FULL");
  if (!synchronous.ok()) return synchronous.status();
  // What one large transaction made of the log does not stay for ever.
  auto log_size = Pragma(
      db, path, absl::StrCat("journal_size_limit = ", kMaxRestingLogBytes));
  if (!log_size.ok()) return log_size.status();
  auto check = Pragma(db, path, "quick_check(1)");
  if (!check.ok()) return check.status();
  if (*check != "ok") return Refused(path, kDamaged);
  if (version == kSchemaVersion) return absl::OkStatus();
  return Upgrade(db, path, version);
}

absl::StatusOr<DatabaseFile> OpenInMemory() {
  absl::StatusOr<SqlitePtr> db =
      Connect(":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  if (!db.ok()) return db.status();
  absl::Status status = UpgradeSchema(db->get(), 0);
  if (!status.ok()) return status;
  return DatabaseFile{{}, *std::move(db)};
}

}  // namespace

absl::StatusOr<DatabaseFile> OpenDatabaseFile(const std::string& data_dir) {
  if (data_dir.empty()) return OpenInMemory();
  absl::StatusOr<FileDescriptor> lock = LockDirectory(data_dir);
  if (!lock.ok()) return lock.status();

  const std::string path = absl::StrCat(data_dir, "/clusterd.db");
  struct stat file {};
  if (stat(path.c_str(), &file) != 0) {
    if (errno != ENOENT) return SystemError(path, "open");
    absl::Status created = CreateFile(path, lock->get());
    if (!created.ok()) return created;
  } else if (file.st_size == 0) {
    return Refused(path,
                   "the file is empty; restore it from a backup, or "
                   "delete it to start without registrations");
  }
  absl::StatusOr<SqlitePtr> db = Connect(path, SQLITE_OPEN_READWRITE);
  if (!db.ok()) return db.status();
  absl::Status prepared = Prepare(db->get(), path);
  if (!prepared.ok()) return prepared;
  return DatabaseFile{*std::move(lock), *std::move(db)};
}

}  // namespace coord
