#include "server/registry/database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/error.h"
#include "common/text_view.h"
#include "server/registry/sqlite.h"
#include "tests/support/await.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/registry/paused_writer.h"

namespace coord {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class DatabaseTest : public testing::Test {
 protected:
  DatabaseTest() { Reopen({}); }

  void Reopen(DatabaseOptions options) {
    database_.reset();
    options.data_dir = dir_.path();
    auto database = Database::Open(std::move(options));
    ASSERT_TRUE(database.ok()) << database.status();
    database_ = *std::move(database);
  }

  static Database::Write Insert(std::string id, std::string type = "t") {
    return [id = std::move(id), type = std::move(type)](sqlite3* db) {
      return Statement(db, "INSERT INTO clusters VALUES (?, ?, ?, 0, 0)")
          .Run(id, type, id);
    };
  }

  static Database::Write Execute(std::string sql) {
    return [sql = std::move(sql)](sqlite3* db) {
      return Statement(db, sql).Run();
    };
  }

  absl::Status Submit(Database::Write write) {
    return Await<absl::Status>([&](auto done) {
      database_->Submit(std::move(write), std::move(done));
    });
  }

  std::vector<std::string> Ids() {
    std::vector<std::string> ids;
    EXPECT_TRUE(database_
                    ->Run([&ids](sqlite3* db) {
                      return Statement(db,
                                       "SELECT id FROM clusters ORDER BY id")
                          .Query([&ids](const Row& row) {
                            ids.push_back(row.Text(0));
                          });
                    })
                    .ok());
    return ids;
  }

  TempDir dir_;
  std::unique_ptr<Database> database_;
};

TEST_F(DatabaseTest, WhatWasAcknowledgedIsThereAfterReopening) {
  EXPECT_TRUE(Submit(Insert("a")).ok());

  Reopen({});

  EXPECT_THAT(Ids(), ElementsAre("a"));
}

TEST_F(DatabaseTest, WritesThatWaitShareACommit) {
  const std::int64_t before = database_->Stats().commits;
  std::vector<std::string> acknowledged;
  {
    PausedWriter paused(*database_);
    for (const char* id : {"a", "b", "c"}) {
      database_->Submit(Insert(id), [&acknowledged, id](absl::Status status) {
        EXPECT_TRUE(status.ok()) << status;
        acknowledged.emplace_back(id);
      });
    }
    EXPECT_EQ(database_->Stats().queued, 3U);
  }

  EXPECT_THAT(Ids(), ElementsAre("a", "b", "c"));
  EXPECT_THAT(acknowledged, ElementsAre("a", "b", "c"));
  EXPECT_EQ(database_->Stats().commits, before + 1);
}

TEST_F(DatabaseTest, AGroupHasALimit) {
  Reopen({.max_group = 2});
  const std::int64_t before = database_->Stats().commits;
  {
    PausedWriter paused(*database_);
    for (const char* id : {"a", "b", "c"}) {
      database_->Submit(Insert(id), [](absl::Status) {});
    }
  }

  EXPECT_THAT(Ids(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(database_->Stats().commits, before + 2);
}

TEST_F(DatabaseTest, AnErrorUndoesItsWriteAlone) {
  std::vector<absl::Status> results;
  {
    PausedWriter paused(*database_);
    auto note = [&results](absl::Status status) { results.push_back(status); };
    database_->Submit(Insert("a"), note);
    database_->Submit(
        [insert = Insert("b")](sqlite3* db) mutable {
          EXPECT_TRUE(std::move(insert)(db).ok());
          return absl::AbortedError("changed my mind");
        },
        note);
    database_->Submit(Insert("a", "other type"), note);
    database_->Submit(Insert("c"), note);
  }

  EXPECT_THAT(Ids(), ElementsAre("a", "c"));
  ASSERT_EQ(results.size(), 4U);
  EXPECT_TRUE(results[0].ok());
  EXPECT_EQ(results[1], absl::AbortedError("changed my mind"));
  EXPECT_TRUE(HasReason(results[2], Reason::kStoreUnavailable));
  EXPECT_EQ(StdView(results[2].message()),
            "use the store: UNIQUE constraint failed: clusters.id");
  EXPECT_TRUE(results[3].ok());
}

TEST_F(DatabaseTest, AWriteThatChangesNothingIsNoCommit) {
  const DatabaseStats before = database_->Stats();

  EXPECT_TRUE(Submit(Execute("UPDATE clusters SET type = 'x'")).ok());
  EXPECT_TRUE(Submit([](sqlite3*) { return absl::OkStatus(); }).ok());

  EXPECT_EQ(database_->Stats().commits, before.commits);
  EXPECT_EQ(database_->Stats().writes, before.writes + 2);
}

TEST_F(DatabaseTest, AFullQueueRefusesAtOnce) {
  Reopen({.max_queue = 1});
  PausedWriter paused(*database_);
  absl::Status waiting = absl::UnknownError("not called");
  database_->Submit(Insert("a"), [&](absl::Status s) { waiting = s; });

  absl::Status refused;
  database_->Submit(Insert("b"), [&](absl::Status s) { refused = s; });

  EXPECT_TRUE(HasReason(refused, Reason::kStoreUnavailable));
  EXPECT_EQ(StdView(refused.message()),
            "write to the store: too many writes are waiting");
  EXPECT_EQ(DetailOf(refused).retry_after, absl::Seconds(1));
  paused.Resume();
  EXPECT_THAT(Ids(), ElementsAre("a"));
  EXPECT_TRUE(waiting.ok()) << waiting;
}

TEST_F(DatabaseTest, AFullDiskFailsTheWholeGroupUntilThereIsRoom) {
  ASSERT_TRUE(Submit(Insert("before")).ok());
  // A pragma, unlike data, is set whatever becomes of the transaction.
  ASSERT_TRUE(Submit(Execute("PRAGMA max_page_count = 1")).ok());
  std::vector<absl::Status> results;
  absl::BlockingCounter missing(3);
  {
    PausedWriter paused(*database_);
    auto note = [&](absl::Status status) {
      results.push_back(std::move(status));
      missing.DecrementCount();
    };
    database_->Submit(Insert("a"), note);
    database_->Submit(Insert("b", std::string(100'000, 'x')), note);
    database_->Submit(Insert("c"), note);
  }
  // What is asked for meanwhile might share their transaction, and their fate.
  missing.Wait();

  EXPECT_THAT(Ids(), ElementsAre("before"));
  ASSERT_EQ(results.size(), 3U);
  for (const absl::Status& result : results) {
    EXPECT_TRUE(HasReason(result, Reason::kStoreUnavailable)) << result;
    EXPECT_THAT(std::string(result.message()),
                testing::HasSubstr("database or disk is full"));
  }

  ASSERT_TRUE(Submit(Execute("PRAGMA max_page_count = 1000000")).ok());
  EXPECT_TRUE(Submit(Insert("after")).ok());
  EXPECT_THAT(Ids(), ElementsAre("after", "before"));
}

TEST_F(DatabaseTest, TheEndWaitsForWhatIsQueued) {
  std::vector<std::string> acknowledged;
  auto paused = std::make_unique<PausedWriter>(*database_);
  for (int i = 0; i < 10; ++i) {
    database_->Submit(Insert(absl::StrCat(i)),
                      [&acknowledged, i](absl::Status status) {
                        EXPECT_TRUE(status.ok()) << status;
                        acknowledged.push_back(absl::StrCat(i));
                      });
  }
  paused.reset();
  database_.reset();

  EXPECT_EQ(acknowledged.size(), 10U);
  Reopen({});
  EXPECT_EQ(Ids().size(), 10U);
}

TEST_F(DatabaseTest, RunHandsOnTheErrorOfWhatItRan) {
  EXPECT_EQ(database_->Run([](sqlite3*) { return absl::AbortedError("no"); }),
            absl::AbortedError("no"));
  EXPECT_TRUE(HasReason(database_->Run(Execute("SELECT nonsense")),
                        Reason::kStoreUnavailable));
}

TEST_F(DatabaseTest, ADatabaseInMemoryLeavesNoFile) {
  auto memory = Database::Open({});
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_TRUE((*memory)->Run(Insert("a")).ok());
  EXPECT_THAT(Ids(), IsEmpty());
}

// --- backups -----------------------------------------------------------------

class BackupTest : public DatabaseTest {
 protected:
  // Enough for many steps.
  void Fill() {
    ASSERT_TRUE(Submit(Execute("WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL"
                               " SELECT i+1 FROM n WHERE i<1000)"
                               " INSERT INTO clusters SELECT 'id-'||i,"
                               " hex(zeroblob(1000)), i, 0, 0 FROM n"))
                    .ok());
  }

  absl::StatusOr<FileDescriptor> BackUp() {
    return Await<absl::StatusOr<FileDescriptor>>([&](auto done) {
      database_->BackUp([done = std::move(done)](auto copy) mutable {
        done(std::move(copy));
      });
    });
  }

  // The clusters in the copy, which becomes a database of its own.
  std::vector<std::string> IdsIn(const FileDescriptor& copy) {
    TempDir restored;
    std::filesystem::copy(absl::StrCat("/proc/self/fd/", copy.get()),
                          restored / "clusterd.db");
    auto database = Database::Open({.data_dir = restored.path()});
    EXPECT_TRUE(database.ok()) << database.status();
    if (!database.ok()) return {};
    auto original = std::exchange(database_, *std::move(database));
    std::vector<std::string> ids = Ids();
    database_ = std::move(original);
    return ids;
  }

  std::vector<std::string> Files() {
    std::vector<std::string> names;
    for (const auto& file : std::filesystem::directory_iterator(dir_.path())) {
      names.push_back(file.path().filename());
    }
    return names;
  }
};

TEST_F(BackupTest, IsADatabaseThatHoldsTheSame) {
  Fill();
  ASSERT_TRUE(Submit(Insert("last")).ok());

  const auto copy = BackUp();

  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_THAT(Files(),
              testing::UnorderedElementsAre("clusterd.db", "clusterd.db-wal"));
  const std::vector<std::string> ids = Ids();
  EXPECT_EQ(ids.size(), 1001u);
  EXPECT_EQ(IdsIn(*copy), ids);
}

TEST_F(BackupTest, WritesGoOnMeanwhileAndAreInIt) {
  Fill();
  absl::Mutex mutex;
  std::vector<std::string> order;
  const auto note = [&](std::string what) {
    absl::MutexLock lock(&mutex);
    order.push_back(std::move(what));
  };
  absl::StatusOr<FileDescriptor> copy;
  absl::Notification copied;
  {
    PausedWriter paused(*database_);
    database_->BackUp([&](absl::StatusOr<FileDescriptor> result) {
      copy = std::move(result);
      note("copied");
      copied.Notify();
    });
    database_->Submit(Insert("z-1"), [&](const absl::Status& first) {
      EXPECT_TRUE(first.ok()) << first;
      note("z-1");
      database_->Submit(Insert("z-2"), [&](const absl::Status& second) {
        EXPECT_TRUE(second.ok()) << second;
        note("z-2");
      });
    });
  }
  copied.WaitForNotification();

  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_THAT(order, ElementsAre("z-1", "z-2", "copied"));
  const std::vector<std::string> ids = IdsIn(*copy);
  EXPECT_THAT(ids, testing::SizeIs(1002));
  EXPECT_EQ(ids.back(), "z-2");
}

TEST_F(BackupTest, WhatWasSubmittedBeforeIsInIt) {
  Fill();
  const auto writes = static_cast<int>(3 * DatabaseOptions().max_group);
  absl::StatusOr<FileDescriptor> copy;
  absl::Notification copied;
  {
    PausedWriter paused(*database_);
    for (int i = 0; i < writes; ++i) {
      database_->Submit(Insert(absl::StrCat("z-", i)),
                        [](const absl::Status& status) {
                          EXPECT_TRUE(status.ok()) << status;
                        });
    }
    database_->BackUp([&](absl::StatusOr<FileDescriptor> result) {
      copy = std::move(result);
      copied.Notify();
    });
  }
  copied.WaitForNotification();

  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_THAT(IdsIn(*copy), testing::SizeIs(1000 + writes));
}

TEST_F(BackupTest, ThereIsOneAtATime) {
  absl::Notification copied;
  absl::Status second;
  {
    PausedWriter paused(*database_);
    database_->BackUp([&](const absl::StatusOr<FileDescriptor>& first) {
      EXPECT_TRUE(first.ok()) << first.status();
      copied.Notify();
    });
    database_->BackUp(
        [&](const absl::StatusOr<FileDescriptor>& s) { second = s.status(); });
  }
  EXPECT_TRUE(HasReason(second, Reason::kTooManyBackups)) << second;
  EXPECT_EQ(StdView(second.message()),
            "back up the store: another backup is being made");
  copied.WaitForNotification();
  EXPECT_TRUE(BackUp().ok());
}

TEST_F(BackupTest, ADatabaseInMemoryHasNone) {
  database_ = *Database::Open({});
  const absl::Status status = BackUp().status();
  EXPECT_TRUE(HasReason(status, Reason::kNothingStored)) << status;
  EXPECT_EQ(StdView(status.message()),
            "back up the store: it is in memory; start clusterd with "
            "--data-dir");
}

TEST_F(BackupTest, OneThatFailsLeavesTheDatabaseAlone) {
  // What is to be replaced can't be.
  std::filesystem::create_directory(dir_ / "clusterd.db.backup");
  const absl::Status status = BackUp().status();
  EXPECT_TRUE(HasReason(status, Reason::kStoreUnavailable)) << status;
  EXPECT_THAT(std::string(status.message()),
              testing::HasSubstr("back up the store: create "));
  EXPECT_TRUE(Submit(Insert("a")).ok());
  std::filesystem::remove(dir_ / "clusterd.db.backup");
  EXPECT_TRUE(BackUp().ok());
}

TEST_F(BackupTest, TheEndOfTheDatabaseEndsIt) {
  Fill();
  absl::Status status;
  {
    PausedWriter paused(*database_);
    database_->BackUp(
        [&](const absl::StatusOr<FileDescriptor>& s) { status = s.status(); });
    // Stops while the writer is held, and so before the first step.
    std::thread stop([&] { database_.reset(); });
    paused.Resume();
    stop.join();
  }
  EXPECT_TRUE(status.ok() || HasReason(status, Reason::kStoreUnavailable))
      << status;
  Reopen({});
  EXPECT_EQ(Ids().size(), 1000u);
  EXPECT_THAT(Files(),
              testing::UnorderedElementsAre("clusterd.db", "clusterd.db-wal"));
}

TEST_F(DatabaseTest, IsIdleWhenAllIsWritten) {
  EXPECT_TRUE(database_->AwaitIdle(absl::InfiniteDuration()));
  {
    PausedWriter paused(*database_);
    EXPECT_FALSE(database_->AwaitIdle(absl::ZeroDuration()));
  }
  EXPECT_TRUE(database_->AwaitIdle(absl::InfiniteDuration()));
}

}  // namespace
}  // namespace coord
