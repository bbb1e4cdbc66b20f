// What callers can make the embedded registry hold has a limit and an end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "common/error.h"
#include "common/text_view.h"
#include "server/registry/embedded_registry.h"
#include "server/registry/sqlite.h"
#include "tests/support/await.h"
#include "tests/support/manual_loop.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/registry/paused_writer.h"

namespace coord {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Server Node(const std::string& id, const std::string& public_base_url) {
  Server server;
  server.type = "mTest";
  server.server_id = id;
  server.cluster_base_url = "http://a.test";
  server.public_base_url = public_base_url;
  return server;
}

class ClusterLimitsTest : public testing::Test {
 protected:
  ClusterLimitsTest() { Start({}); }
  ~ClusterLimitsTest() override { registry_.reset(); }

  // With what an earlier life has left.
  void Start(EmbeddedRegistryOptions options) {
    registry_.reset();
    database_.reset();
    auto database = Database::Open({.data_dir = dir_ / "data"});
    ASSERT_TRUE(database.ok()) << database.status();
    database_ = *std::move(database);
    auto registry = EmbeddedRegistry::Create(
        *database_, loop_, options,
        [this](const ClusterIdentity& cluster, const Change& change) {
          if (change.type == ChangeType::kJoined) {
            members_.insert(cluster.public_base_url);
          }
        },
        [this](const std::string& id) { return watched_.contains(id); });
    ASSERT_TRUE(registry.ok()) << registry.status();
    registry_ = *std::move(registry);
    loop_.RunPosted();
  }

  absl::StatusOr<RegisterAnswer> Register(const Server& server) {
    return Await<absl::StatusOr<RegisterAnswer>>(
        [&](auto done) { registry_->Register({server}, std::move(done)); });
  }
  // The id of its cluster.
  std::string MustRegister(const std::string& id, const std::string& url) {
    const auto answer = Register(Node(id, url));
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.ok() ? answer->cluster.id : "";
  }
  void Unregister(const ServerKey& key) {
    EXPECT_TRUE(Await<absl::StatusOr<Removed>>([&](auto done) {
                  registry_->Unregister(key, "mTest", std::move(done));
                }).ok());
  }
  // The id of a cluster that has no server any more.
  std::string Emptied(const std::string& url) {
    const std::string id = MustRegister("gone", url);
    Unregister({id, "gone"});
    return id;
  }

  void Execute(const std::string& sql) {
    const absl::Status status = database_->Run(
        [&sql](sqlite3* db) { return Statement(db, sql).Run(); });
    ASSERT_TRUE(status.ok()) << status;
  }
  std::set<std::string> StoredClusters() {
    std::set<std::string> ids;
    EXPECT_TRUE(
        database_
            ->Run([&ids](sqlite3* db) {
              return Statement(db, "SELECT id FROM clusters")
                  .Query([&ids](const Row& row) { ids.insert(row.Text(0)); });
            })
            .ok());
    return ids;
  }

  // In steps, so that the store keeps up.
  void Advance(absl::Duration by) {
    const absl::Time end = loop_.Now() + by;
    while (loop_.Now() < end) {
      loop_.Advance(
          std::min<absl::Duration>(absl::Minutes(5), end - loop_.Now()));
      ASSERT_TRUE(
          database_->Run([](sqlite3*) { return absl::OkStatus(); }).ok());
      loop_.RunPosted();
    }
  }

  TempDir dir_;
  ManualLoop loop_;
  std::set<std::string> watched_;
  std::set<std::string> members_;  // by their public URLs
  std::unique_ptr<Database> database_;
  std::unique_ptr<EmbeddedRegistry> registry_;
};

TEST_F(ClusterLimitsTest, AnEmptyClusterKeepsItsIdForADay) {
  const std::string id = Emptied("http://a");
  Advance(absl::Hours(23));
  EXPECT_EQ(Emptied("http://a"), id);
  Advance(absl::Hours(23));
  EXPECT_THAT(StoredClusters(), ElementsAre(id));

  Advance(absl::Hours(1) + absl::Minutes(10));

  EXPECT_THAT(StoredClusters(), IsEmpty());
  EXPECT_NE(MustRegister("a", "http://a"), id);
}

TEST_F(ClusterLimitsTest, ARestartDoesNotPutTheEndOff) {
  Emptied("http://a");
  const std::string in_use = MustRegister("b", "http://b");
  for (int life = 0; life < 4; ++life) {
    Advance(absl::Hours(6) + absl::Minutes(10));
    MustRegister("b", "http://b");
    Start({});
  }
  Advance(absl::Minutes(10));

  EXPECT_THAT(StoredClusters(), ElementsAre(in_use));
}

TEST_F(ClusterLimitsTest, WhoseServerDiesEndsAsWell) {
  MustRegister("dies", "http://a");
  // Two leases and a minute, then a day.
  Advance(absl::Hours(28));
  EXPECT_EQ(StoredClusters().size(), 1u);
  Advance(absl::Minutes(20));
  EXPECT_THAT(StoredClusters(), IsEmpty());
}

TEST_F(ClusterLimitsTest, AnIdThatSomebodyRefersToStays) {
  const std::string watched = Emptied("http://watched");
  watched_ = {watched};
  const std::string promised = Emptied("http://promised");
  Execute(
      "INSERT INTO registrations VALUES ('mTest', 'http://promised', 'x',"
      " 'http://x', '', '', 0, 0, 0, 0, '', '', 's', NULL, 0, '')");

  Advance(absl::Hours(48));
  EXPECT_THAT(StoredClusters(),
              testing::UnorderedElementsAre(watched, promised));

  watched_.clear();
  Execute("DELETE FROM registrations");
  Advance(absl::Minutes(10));
  EXPECT_THAT(StoredClusters(), IsEmpty());
}

TEST_F(ClusterLimitsTest, OverTheLimitTheOneGoesThatHasBeenEmptyForLongest) {
  Start({.max_clusters = 3});
  const std::string used = MustRegister("u", "http://used");
  const std::string first = Emptied("http://first");
  Advance(absl::Minutes(1));
  const std::string second = Emptied("http://second");

  const std::string third = MustRegister("t", "http://third");
  EXPECT_THAT(StoredClusters(),
              testing::UnorderedElementsAre(used, second, third));
  EXPECT_EQ(Emptied("http://second"), second);
}

TEST_F(ClusterLimitsTest, WhereAllAreInUseANewOneIsRefused) {
  Start({.max_clusters = 2});
  const std::string a = MustRegister("a", "http://a");
  watched_ = {Emptied("http://b")};

  const absl::Status refused = Register(Node("c", "http://c")).status();

  EXPECT_TRUE(HasReason(refused, Reason::kTooManyClusters)) << refused;
  EXPECT_EQ(StdView(refused.message()),
            "create cluster of type mTest: 2 clusters are in use, which is the "
            "limit (--max-clusters)");
  EXPECT_EQ(MustRegister("another", "http://a"), a);
  watched_.clear();
  MustRegister("c", "http://c");
}

TEST_F(ClusterLimitsTest, ALimitThatWasHigherBeforeIsMetAtTheNextOne) {
  for (int i = 0; i < 5; ++i) Emptied(absl::StrCat("http://", i));
  Start({.max_clusters = 2});

  MustRegister("new", "http://new");

  EXPECT_EQ(StoredClusters().size(), 2u);
}

// All of this shares one transaction, so that all is decided before the first
// of it is applied.
TEST_F(ClusterLimitsTest, AnIdThatIsForgottenInATransactionIsNotUsedInIt) {
  Start({.max_clusters = 1});
  const std::string old = MustRegister("a", "http://a");
  std::vector<std::string> ids;
  const auto note = [&ids](absl::StatusOr<RegisterAnswer> answer) {
    ids.push_back(answer.ok() ? answer->cluster.id
                              : std::string(answer.status().message()));
  };
  {
    PausedWriter paused(*database_);
    registry_->Register({Node("a2", "http://a")}, note);
    for (const char* id : {"a", "a2"}) {
      registry_->Unregister({old, id}, "mTest", [](const auto&) {});
    }
    registry_->Register({Node("b", "http://b")}, note);
    registry_->Unregister({old, "nobody"}, "mTest", [](const auto&) {});
  }
  // `b` is in use now, so there is no room; then there is.
  const absl::Status refused = Register(Node("a", "http://a")).status();
  EXPECT_TRUE(HasReason(refused, Reason::kTooManyClusters)) << refused;
  ASSERT_EQ(ids.size(), 2u);
  EXPECT_EQ(ids[0], old);
  Unregister({ids[1], "b"});
  const std::string again = MustRegister("a", "http://a");
  EXPECT_NE(again, old);

  members_.clear();
  Start({});
  EXPECT_THAT(members_, ElementsAre("http://a"));
  EXPECT_THAT(StoredClusters(), ElementsAre(again));
}

TEST_F(ClusterLimitsTest, MoreServersThanTheLimitAreRefused) {
  Start({.max_servers = 2});
  const std::string id = MustRegister("a", "http://x");
  MustRegister("b", "http://y");

  const absl::Status refused = Register(Node("c", "http://x")).status();

  EXPECT_TRUE(HasReason(refused, Reason::kTooManyRegistrations)) << refused;
  EXPECT_EQ(StdView(refused.message()),
            "register mTest/c: 2 servers are registered, which is the limit "
            "(--max-registrations)");
  MustRegister("a", "http://x");
  Unregister({id, "a"});
  MustRegister("c", "http://x");
}

TEST_F(ClusterLimitsTest, WhatCouldNotBeWrittenTakesNoPlace) {
  Start({.max_servers = 1});
  Execute(
      "CREATE TRIGGER refuse BEFORE INSERT ON servers"
      " BEGIN SELECT RAISE(ABORT, 'made to fail'); END");
  EXPECT_TRUE(HasReason(Register(Node("a", "http://a")).status(),
                        Reason::kStoreUnavailable));
  Execute("DROP TRIGGER refuse");

  MustRegister("b", "http://a");
}

// A transaction at a time, as the disk is slow.
TEST_F(ClusterLimitsTest, ComingAndGoingDoesNotMakeTheFileGrow) {
  constexpr int kAtOnce = 50;
  Start({.max_clusters = kAtOnce});
  const auto pages = [this] {
    std::int64_t count = 0;
    EXPECT_TRUE(database_
                    ->Run([&count](sqlite3* db) {
                      return Statement(db, "PRAGMA page_count")
                          .Query(
                              [&count](const Row& row) { count = row.Int(0); });
                    })
                    .ok());
    return count;
  };
  int number = 0;
  const auto churn = [&] {
    std::vector<ServerKey> keys(kAtOnce);
    absl::BlockingCounter registered(kAtOnce);
    for (ServerKey& key : keys) {
      const std::string url =
          absl::StrCat("http://", std::string(2000, 'x'), ++number);
      registry_->Register({Node("s", url)},
                          [&](absl::StatusOr<RegisterAnswer> answer) {
                            ASSERT_TRUE(answer.ok()) << answer.status();
                            key = {answer->cluster.id, "s"};
                            registered.DecrementCount();
                          });
    }
    registered.Wait();
    absl::BlockingCounter gone(kAtOnce);
    for (const ServerKey& key : keys) {
      registry_->Unregister(key, "mTest",
                            [&](const auto&) { gone.DecrementCount(); });
    }
    gone.Wait();
  };
  for (int i = 0; i < 3; ++i) churn();
  const std::int64_t before = pages();
  for (int i = 0; i < 20; ++i) churn();
  EXPECT_LE(pages(), before + before / 10);
  EXPECT_EQ(StoredClusters().size(), std::size_t{kAtOnce});
}

}  // namespace
}  // namespace coord
