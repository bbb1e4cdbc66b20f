// A SQLite file with one writer thread. Writes that wait at the same time share
// one transaction, and so one fsync.
#ifndef SERVER_REGISTRY_DATABASE_H_
#define SERVER_REGISTRY_DATABASE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/registry/file_descriptor.h"

struct sqlite3;

namespace coord {

struct DatabaseOptions {
  // A directory that holds `clusterd.db`; created when missing, with mode 0700.
  // Empty: in memory, and everything is lost at the end of the process.
  std::string data_dir;
  std::size_t max_queue = 65'536;  // writes that may wait
  std::size_t max_group = 1'024;   // writes in one transaction
};

struct DatabaseStats {
  std::int64_t commits = 0;
  std::int64_t writes = 0;
  std::size_t queued = 0;
};

class Database {
 public:
  // One write: runs on the writer thread inside a savepoint of its own. An
  // error undoes it alone.
  using Write = absl::AnyInvocable<absl::Status(sqlite3*) &&>;
  // On the writer thread, after the commit that made the write durable, in the
  // order of the writes; or with the write's own error; or STORE_UNAVAILABLE
  // when the commit failed, and then nothing of it happened.
  using Done = absl::AnyInvocable<void(absl::Status) &&>;

  // Opens or creates the file (WAL, synchronous=FULL), takes its lock for the
  // life of this object, and brings the schema up to date. Errors, each naming
  // the path and what to do: FAILED_PRECONDITION (locked by another process;
  // not a database of ours; schema of a newer clusterd; damaged), PERMISSION_
  // DENIED, UNAVAILABLE (disk full, I/O error).
  static absl::StatusOr<std::unique_ptr<Database>> Open(
      DatabaseOptions options);
  // Finishes what is queued.
  ~Database();

  // Queues a write. Thread-safe. A full queue: `done` gets UNAVAILABLE ·
  // STORE_UNAVAILABLE with RetryInfo, inside the call.
  void Submit(Write write, Done done);

  // Copies the file as it is at one moment, in small steps between which writes
  // go on; what was submitted before is in it. `copied` is called on the writer
  // thread, or inside the call, with the copy open for reading; it has no name,
  // so that nothing stays of it when it is closed. One at a time. Thread-safe.
  // Errors: FAILED_PRECONDITION · NOTHING_STORED (a database in memory),
  // RESOURCE_EXHAUSTED · TOO_MANY_BACKUPS, UNAVAILABLE · STORE_UNAVAILABLE,
  // also at the end of this object.
  using Copied = absl::AnyInvocable<void(absl::StatusOr<FileDescriptor>) &&>;
  void BackUp(Copied copied);

  // Runs `read` on the writer thread and waits: for loading at start. Whatever
  // the queue holds; not from a Write or a Done, which it would wait for.
  absl::Status Run(Write read);

  // Waits until nothing is queued or being written; false when that takes
  // longer. Not from a Write or a Done.
  bool AwaitIdle(absl::Duration timeout) const;

  DatabaseStats Stats() const;

 private:
  class Impl;
  explicit Database(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace coord

#endif  // SERVER_REGISTRY_DATABASE_H_
