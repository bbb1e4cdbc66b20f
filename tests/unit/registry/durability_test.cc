// What is acknowledged survives the end of the process and of the power.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "server/registry/database.h"
#include "server/registry/embedded_registry.h"
#include "server/registry/sqlite.h"
#include "tests/support/await.h"
#include "tests/support/manual_loop.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/registry/paused_writer.h"
#include "tests/unit/registry/watched_vfs.h"

namespace coord {
namespace {

using ::testing::ElementsAre;

Server Node(const std::string& id) {
  Server server;
  server.type = "mTest";
  server.server_id = id;
  server.cluster_base_url = "http://a.test";
  return server;
}

// A registry on a directory, and who is in it.
class Authority {
 public:
  explicit Authority(const std::string& data_dir) {
    auto database = Database::Open({.data_dir = data_dir});
    EXPECT_TRUE(database.ok()) << database.status();
    database_ = *std::move(database);
    auto registry = EmbeddedRegistry::Create(
        *database_, loop_, {},
        [this](const ClusterIdentity&, const Change& change) {
          members_.insert(change.server->server_id);
        });
    EXPECT_TRUE(registry.ok()) << registry.status();
    registry_ = *std::move(registry);
  }

  absl::Status Register(const std::string& id) {
    return Await<absl::Status>([&](auto done) {
      registry_->Register(
          {Node(id)},
          [done = std::move(done)](absl::StatusOr<RegisterAnswer> a) mutable {
            done(a.status());
          });
    });
  }

  Database& database() { return *database_; }
  // Once everything is acknowledged.
  const std::set<std::string>& members() const { return members_; }

 private:
  ManualLoop loop_;
  std::set<std::string> members_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<EmbeddedRegistry> registry_;
};

TEST(DurabilityTest, WhatIsAcknowledgedIsSyncedFirst) {
  TempDir dir;
  // What the disk holds for sure, a moment after each acknowledgement.
  const std::string durable = dir / "durable";
  { Authority created(dir / "data"); }
  std::filesystem::copy(dir / "data", durable);
  {
    WatchedVfs vfs(durable);
    Authority authority(dir / "data");
    for (const char* id : {"a", "b", "c"}) {
      ASSERT_TRUE(authority.Register(id).ok());
      const std::string power_failed = dir / absl::StrCat("without-", id);
      std::filesystem::copy(durable, power_failed);
    }
  }

  EXPECT_THAT(Authority(dir / "without-a").members(), ElementsAre("a"));
  EXPECT_THAT(Authority(dir / "without-b").members(), ElementsAre("a", "b"));
  EXPECT_THAT(Authority(dir / "without-c").members(),
              ElementsAre("a", "b", "c"));
}

TEST(DurabilityTest, WritesOfOneGroupShareOneSync) {
  TempDir dir;
  WatchedVfs vfs(dir / "durable");
  Authority authority(dir / "data");
  ASSERT_TRUE(authority.Register("first").ok());
  const int before = vfs.syncs;
  {
    PausedWriter paused(authority.database());
    for (int i = 0; i < 50; ++i) {
      authority.database().Submit(
          [i](sqlite3* db) {
            return Statement(db,
                             "INSERT INTO clusters VALUES (?, 't', ?, 0, 0)")
                .Run(absl::StrCat(i), absl::StrCat(i));
          },
          [](absl::Status status) { EXPECT_TRUE(status.ok()) << status; });
    }
  }
  ASSERT_TRUE(
      authority.database().Run([](sqlite3*) { return absl::OkStatus(); }).ok());

  EXPECT_EQ(vfs.syncs, before + 1);
}

TEST(DurabilityTest, AFailedSyncIsNoAcknowledgement) {
  TempDir dir;
  {
    WatchedVfs vfs(dir / "durable");
    Authority authority(dir / "data");
    ASSERT_TRUE(authority.Register("a").ok());

    vfs.fail_syncs = true;
    const absl::Status failed = authority.Register("b");
    EXPECT_TRUE(HasReason(failed, Reason::kStoreUnavailable)) << failed;

    vfs.fail_syncs = false;
    EXPECT_TRUE(authority.Register("c").ok());
    EXPECT_THAT(authority.members(), ElementsAre("a", "c"));
  }

  EXPECT_THAT(Authority(dir / "data").members(), ElementsAre("a", "c"));
}

// Runs crash_helper on `data_dir` and kills it once it has acknowledged
// `enough` registrations; all that it acknowledged.
std::set<std::string> RegisterUntilKilled(const std::string& data_dir,
                                          std::size_t enough) {
  std::array<int, 2> pipe_ends{};
  EXPECT_EQ(pipe(pipe_ends.data()), 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(pipe_ends[1], STDOUT_FILENO);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    execl(CRASH_HELPER, CRASH_HELPER, data_dir.c_str(), nullptr);
    _exit(127);
  }
  close(pipe_ends[1]);
  FILE* output = fdopen(pipe_ends[0], "r");
  std::set<std::string> acknowledged;
  std::array<char, 64> line{};
  while (fgets(line.data(), line.size(), output) != nullptr) {
    std::string id(line.data());
    // The last line may be cut off by the end.
    if (id.empty() || id.back() != '\n') break;
    id.pop_back();
    acknowledged.insert(id);
    if (acknowledged.size() == enough) kill(child, SIGKILL);
  }
  fclose(output);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
      << "crash_helper ended by itself: " << status;
  return acknowledged;
}

TEST(DurabilityTest, WhatWasAcknowledgedSurvivesAKill) {
  TempDir dir;
  std::set<std::string> acknowledged;
  for (int life = 0; life < 3; ++life) {
    acknowledged.merge(RegisterUntilKilled(dir / "data", 500));

    const Authority authority(dir / "data");
    EXPECT_THAT(acknowledged, testing::IsSubsetOf(authority.members()));
    EXPECT_GE(acknowledged.size(), 500U);
  }
}

}  // namespace
}  // namespace coord
