#include "server/registry/database.h"

#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sqlite3.h>

#include <algorithm>
#include <deque>
#include <iterator>
#include <limits>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/error.h"
#include "common/log.h"
#include "common/text_view.h"
#include "server/registry/database_backup.h"
#include "server/registry/database_file.h"
#include "server/registry/sqlite.h"

namespace coord {

class Database::Impl {
 public:
  Impl(DatabaseFile file, DatabaseOptions options)
      : options_(std::move(options)),
        file_(std::move(file)),
        writer_([this] { WriteUntilStopped(); }) {}

  ~Impl() {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    writer_.join();
  }

  // False, and nothing taken, when the queue already holds `limit`.
  bool Enqueue(Write& write, Done& done, std::size_t limit) {
    absl::MutexLock lock(&mutex_);
    if (queue_.size() >= limit) return false;
    queue_.push_back({std::move(write), std::move(done)});
    return true;
  }

  // False, and nothing taken, when one is being made.
  bool Order(Copied& copied) {
    absl::MutexLock lock(&mutex_);
    if (std::exchange(copying_, true)) return false;
    ordered_ = std::move(copied);
    before_copy_ = queue_.size();
    return true;
  }

  DatabaseStats Stats() const {
    absl::MutexLock lock(&mutex_);
    DatabaseStats stats = stats_;
    stats.queued = queue_.size();
    return stats;
  }

  bool AwaitIdle(absl::Duration timeout) const {
    auto idle = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
      return queue_.empty() && !writing_;
    };
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&idle), timeout);
  }

  const DatabaseOptions& options() const { return options_; }

 private:
  struct Item {
    Write write;
    Done done;
    absl::Status result;
  };
  using Group = std::vector<Item>;
  class Transaction;

  void WriteUntilStopped() {
    pthread_setname_np(pthread_self(), "store-writer");
    Transaction transaction(file_.db.get());
    while (WaitForWork()) {
      Group group = TakeGroup();
      if (!group.empty()) Commit(transaction, group);
      CopyOn();
    }
    TakeOrder();
    if (copied_) {
      EndCopy(MakeError(Reason::kStoreUnavailable,
                        "back up the store: clusterd is stopping"));
    }
  }

  void Commit(Transaction& transaction, Group& group) {
    const absl::Status committed = transaction.Run(group);
    Report(committed);
    Count(group.size(), transaction.wrote());
    for (Item& item : group) {
      std::move(item.done)(item.result.ok() ? committed : item.result);
    }
  }

  // The next step of a backup, if there is one to be made.
  void CopyOn() {
    TakeOrder();
    if (!copied_) return;
    if (backup_ == nullptr) {
      auto started = DatabaseBackup::Start(
          file_.db.get(), options_.data_dir + "/clusterd.db.backup");
      if (!started.ok()) return EndCopy(started.status());
      backup_ = *std::move(started);
    }
    auto step = backup_->Step();
    if (!step.ok()) return EndCopy(step.status());
    if (*step) EndCopy(**std::move(step));
  }

  // Once everything that was queued before the order is written.
  void TakeOrder() {
    absl::MutexLock lock(&mutex_);
    if (ordered_ && before_copy_ == 0) {
      copied_ = std::exchange(ordered_, nullptr);
    }
  }

  void EndCopy(absl::StatusOr<FileDescriptor> copy) {
    backup_.reset();
    Copied copied = std::exchange(copied_, nullptr);
    {
      absl::MutexLock lock(&mutex_);
      copying_ = false;
    }
    std::move(copied)(std::move(copy));
  }

  // False when there is nothing to do and nothing will come.
  bool WaitForWork() {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    auto something_to_do = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
      return stopping_ || copying_ || !queue_.empty();
    };
    mutex_.Await(absl::Condition(&something_to_do));
    return !queue_.empty() || !stopping_;
  }

  Group TakeGroup() {
    absl::MutexLock lock(&mutex_);
    const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(std::min(
                                          queue_.size(), options_.max_group));
    Group group(std::make_move_iterator(queue_.begin()),
                std::make_move_iterator(end));
    queue_.erase(queue_.begin(), end);
    before_copy_ -= std::min(before_copy_, group.size());
    writing_ = !group.empty();
    return group;
  }

  // Once for each turn: a full disk must not fill the log as well.
  void Report(const absl::Status& committed) {
    if (committed.ok() == healthy_) return;
    healthy_ = committed.ok();
    if (healthy_) {
      spdlog::info("store works again");
    } else {
      spdlog::error("store failed{}",
                    Fields({{"data_dir", options_.data_dir},
                            {"error", StdView(committed.message())}}));
    }
  }

  void Count(std::size_t writes, bool wrote) {
    absl::MutexLock lock(&mutex_);
    stats_.writes += static_cast<std::int64_t>(writes);
    if (wrote) ++stats_.commits;
  }

  // Runs groups, one transaction each. SQLite neither writes nor syncs for a
  // transaction that changed nothing.
  class Transaction {
   public:
    explicit Transaction(sqlite3* db) : db_(db) {}

    absl::Status Run(Group& group) {
      const sqlite3_int64 before = sqlite3_total_changes64(db_);
      absl::Status status = begin_.Run();
      for (Item& item : group) {
        if (status.ok()) status = RunOne(item);
      }
      if (status.ok()) status = commit_.Run();
      if (!status.ok() && InTransaction()) rollback_.Run().IgnoreError();
      wrote_ = status.ok() && sqlite3_total_changes64(db_) != before;
      return status;
    }

    // Whether the last group went to the disk.
    bool wrote() const { return wrote_; }

   private:
    bool InTransaction() const { return sqlite3_get_autocommit(db_) == 0; }

    // The error of one write is its own; what is returned is one that ended the
    // whole transaction.
    absl::Status RunOne(Item& item) {
      absl::Status status = savepoint_.Run();
      if (!status.ok()) return status;
      item.result = std::move(item.write)(db_);
      // A full disk, for one, makes SQLite roll back everything.
      if (!InTransaction()) return StoreError(db_, "write to the store");
      if (!item.result.ok()) {
        status = undo_.Run();
        if (!status.ok()) return status;
      }
      return release_.Run();
    }

    sqlite3* db_;
    bool wrote_ = false;
    Statement begin_{db_, "BEGIN"};
    Statement commit_{db_, "COMMIT"};
    Statement rollback_{db_, "ROLLBACK"};
    Statement savepoint_{db_, "SAVEPOINT write"};
    Statement release_{db_, "RELEASE write"};
    Statement undo_{db_, "ROLLBACK TO write"};
  };

  const DatabaseOptions options_;
  // Of the writer:
  DatabaseFile file_;
  Copied copied_;  // who waits for the backup that is being made
  std::unique_ptr<DatabaseBackup> backup_;
  bool healthy_ = true;

  mutable absl::Mutex mutex_;
  std::deque<Item> queue_ ABSL_GUARDED_BY(mutex_);
  Copied ordered_ ABSL_GUARDED_BY(mutex_);
  std::size_t before_copy_ ABSL_GUARDED_BY(mutex_) = 0;  // writes in the queue
  DatabaseStats stats_ ABSL_GUARDED_BY(mutex_);
  bool copying_ ABSL_GUARDED_BY(mutex_) = false;  // ordered, or being made
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;  // until all is answered

  std::thread writer_;
};

absl::StatusOr<std::unique_ptr<Database>> Database::Open(
    DatabaseOptions options) {
  absl::StatusOr<DatabaseFile> file = OpenDatabaseFile(options.data_dir);
  if (!file.ok()) return file.status();
  return std::unique_ptr<Database>(new Database(
      std::make_unique<Impl>(*std::move(file), std::move(options))));
}

Database::Database(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Database::~Database() = default;

void Database::Submit(Write write, Done done) {
  if (impl_->Enqueue(write, done, impl_->options().max_queue)) return;
  std::move(done)(WithRetryAfter(
      MakeError(Reason::kStoreUnavailable,
                "write to the store: too many writes are waiting"),
      absl::Seconds(1)));
}

void Database::BackUp(Copied copied) {
  if (impl_->options().data_dir.empty()) {
    std::move(copied)(MakeError(
        Reason::kNothingStored,
        "back up the store: it is in memory; start clusterd with --data-dir"));
  } else if (!impl_->Order(copied)) {
    std::move(copied)(MakeError(Reason::kTooManyBackups,
                                "back up the store: another backup is being "
                                "made"));
  }
}

absl::Status Database::Run(Write read) {
  absl::Notification ran;
  absl::Status result;
  Done done = [&](absl::Status status) {
    result = std::move(status);
    ran.Notify();
  };
  impl_->Enqueue(read, done, std::numeric_limits<std::size_t>::max());
  ran.WaitForNotification();
  return result;
}

bool Database::AwaitIdle(absl::Duration timeout) const {
  return impl_->AwaitIdle(timeout);
}

DatabaseStats Database::Stats() const { return impl_->Stats(); }

}  // namespace coord
