// What the embedded registry adds to the acceptance suite: what happens inside
// one transaction, and when the store fails.
#include "server/registry/embedded_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/correlation_id.h"
#include "common/error.h"
#include "common/text_view.h"
#include "server/registry/sqlite.h"
#include "tests/support/await.h"
#include "tests/support/manual_loop.h"
#include "tests/unit/registry/paused_writer.h"

namespace coord {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Server Node(const std::string& id,
            const std::string& address = "http://a.test") {
  Server server;
  server.type = "mTest";
  server.server_id = id;
  server.cluster_base_url = address;
  server.public_base_url = "https://api.test";
  return server;
}

class EmbeddedRegistryTest : public testing::Test {
 protected:
  EmbeddedRegistryTest() {
    auto database = Database::Open({.max_queue = 8});
    EXPECT_TRUE(database.ok()) << database.status();
    database_ = *std::move(database);
    Start({});
  }
  ~EmbeddedRegistryTest() override { registry_.reset(); }

  void Start(EmbeddedRegistryOptions options) {
    registry_.reset();
    options.last_standstill = [this] { return standstill_; };
    auto registry = EmbeddedRegistry::Create(
        *database_, loop_, options,
        [this](const ClusterIdentity&, const Change& change) {
          static constexpr const char* kNames[] = {"joined", "updated", "left",
                                                   "evicted"};
          absl::MutexLock lock(&mutex_);
          log_.push_back(absl::StrCat(kNames[static_cast<int>(change.type)],
                                      " ", change.server->server_id, " ",
                                      change.server->cluster_base_url));
        });
    ASSERT_TRUE(registry.ok()) << registry.status();
    registry_ = *std::move(registry);
    loop_.RunPosted();
  }

  absl::StatusOr<RegisterAnswer> Register(const Server& server) {
    return Await<absl::StatusOr<RegisterAnswer>>(
        [&](auto done) { registry_->Register({server}, std::move(done)); });
  }

  RegisterAnswer MustRegister(const Server& server) {
    auto answer = Register(server);
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.ok() ? *std::move(answer) : RegisterAnswer();
  }

  // Each of these starts an operation whose end is noted in the log.
  void StartRegister(const Server& server) {
    registry_->Register({server}, [this](absl::StatusOr<RegisterAnswer> a) {
      Note(a.ok() ? absl::StrCat("registered ", a->record.cluster_base_url)
                  : std::string(a.status().message()));
    });
  }
  void StartUnregister(const ServerKey& key) {
    registry_->Unregister(key, "mTest", [this](absl::StatusOr<Removed> r) {
      Note(r.ok() ? "unregistered" : std::string(r.status().message()));
    });
  }
  void StartRemove(const ServerKey& key, const Evidence& evidence) {
    registry_->Remove(key, "mTest", evidence,
                      [this](absl::StatusOr<Removal> r) {
                        Note(!r.ok() ? std::string(r.status().message())
                             : std::holds_alternative<Removed>(*r) ? "removed"
                                                                   : "refused");
                      });
  }

  void Note(std::string event) {
    absl::MutexLock lock(&mutex_);
    log_.push_back(std::move(event));
  }
  std::vector<std::string> TakeLog() {
    absl::MutexLock lock(&mutex_);
    return std::exchange(log_, {});
  }

  void Execute(const std::string& sql) {
    ASSERT_TRUE(
        database_->Run([&sql](sqlite3* db) { return Statement(db, sql).Run(); })
            .ok());
  }

  // Lets time pass, and waits for what the registry does with it.
  void Advance(absl::Duration by) {
    loop_.Advance(by);
    ASSERT_TRUE(database_->Run([](sqlite3*) { return absl::OkStatus(); }).ok());
    loop_.RunPosted();
  }

  ManualLoop loop_;
  absl::Time standstill_ = absl::InfinitePast();  // the end of the last one
  absl::Mutex mutex_;
  std::vector<std::string> log_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Database> database_;
  std::unique_ptr<EmbeddedRegistry> registry_;
};

TEST_F(EmbeddedRegistryTest, RenewalThatChangesNothingDoesNotTouchTheDisk) {
  MustRegister(Node("a"));
  const std::int64_t commits = database_->Stats().commits;

  for (int i = 0; i < 10; ++i) MustRegister(Node("a"));
  EXPECT_EQ(database_->Stats().commits, commits);

  MustRegister(Node("a", "http://b.test"));
  EXPECT_EQ(database_->Stats().commits, commits + 1);
}

TEST_F(EmbeddedRegistryTest, VersionsGrowThoughTheClockStandsStill) {
  const absl::Time now = loop_.WallTime();

  EXPECT_EQ(MustRegister(Node("a")).record.update_time, now);
  EXPECT_EQ(MustRegister(Node("b")).record.update_time,
            now + absl::Milliseconds(1));
  const Server moved = MustRegister(Node("a", "http://b.test")).record;
  EXPECT_EQ(moved.update_time, now + absl::Milliseconds(2));
  EXPECT_EQ(moved.create_time, now);
  EXPECT_EQ(moved.version.text, FormatDate(moved.update_time));
}

TEST_F(EmbeddedRegistryTest, VersionsOfTwoClustersAreIndependent) {
  Server other = Node("a");
  other.type = "mOther";

  EXPECT_EQ(MustRegister(Node("a")).record.version,
            MustRegister(other).record.version);
}

TEST_F(EmbeddedRegistryTest, DecisionsOfOneTransactionSeeEachOther) {
  const ServerKey key{MustRegister(Node("a")).cluster.id, "a"};
  TakeLog();
  {
    PausedWriter paused(*database_);
    StartRegister(Node("a", "http://b.test"));
    StartRegister(Node("a", "http://b.test"));
    StartUnregister(key);
    StartUnregister(key);
    StartRegister(Node("a", "http://c.test"));
  }
  ASSERT_TRUE(Register(Node("a", "http://c.test")).ok());

  EXPECT_THAT(
      TakeLog(),
      ElementsAre("updated a http://b.test", "registered http://b.test",
                  "registered http://b.test", "left a http://b.test",
                  "unregistered", "unregistered", "joined a http://c.test",
                  "registered http://c.test"));
}

TEST_F(EmbeddedRegistryTest,
       FirstServersOfAClusterShareItThoughTheyComeTogether) {
  std::vector<std::string> clusters;
  {
    PausedWriter paused(*database_);
    for (const char* id : {"a", "b"}) {
      registry_->Register({Node(id)},
                          [&](absl::StatusOr<RegisterAnswer> answer) {
                            ASSERT_TRUE(answer.ok()) << answer.status();
                            clusters.push_back(answer->cluster.id);
                          });
    }
  }
  clusters.push_back(MustRegister(Node("c")).cluster.id);

  ASSERT_EQ(clusters.size(), 3U);
  EXPECT_EQ(clusters[0], clusters[1]);
  EXPECT_EQ(clusters[0], clusters[2]);
}

TEST_F(EmbeddedRegistryTest, RenewalInTheSameTransactionForbidsTheRemoval) {
  const RegisterAnswer answer = MustRegister(Node("a"));
  const ServerKey key{answer.cluster.id, "a"};
  const Evidence evidence{answer.record.version, loop_.Now()};
  loop_.Advance(absl::Seconds(1));
  TakeLog();
  {
    PausedWriter paused(*database_);
    StartRegister(Node("a"));
    StartRemove(key, evidence);
  }
  Advance(absl::ZeroDuration());

  EXPECT_THAT(TakeLog(), ElementsAre("registered http://a.test", "refused"));
}

TEST_F(EmbeddedRegistryTest, RenewalThatComesAfterTheRemovalJoinsAgain) {
  const RegisterAnswer answer = MustRegister(Node("a"));
  TakeLog();
  {
    PausedWriter paused(*database_);
    StartRemove({answer.cluster.id, "a"}, {answer.record.version, loop_.Now()});
    StartRegister(Node("a"));
  }
  Advance(absl::ZeroDuration());

  EXPECT_THAT(TakeLog(), ElementsAre("evicted a http://a.test", "removed",
                                     "joined a http://a.test",
                                     "registered http://a.test"));
}

TEST_F(EmbeddedRegistryTest, AnUnreadableVersionIsNoEvidence) {
  const ServerKey key{MustRegister(Node("a")).cluster.id, "a"};
  TakeLog();

  StartRemove(key, {{"yesterday"}});
  StartRemove(key, {{""}});
  Advance(absl::ZeroDuration());

  EXPECT_THAT(TakeLog(), ElementsAre("refused", "refused"));
}

TEST_F(EmbeddedRegistryTest, RenewalMeetsTheSweepInOneTransaction) {
  MustRegister(Node("a"));
  MustRegister(Node("b"));
  TakeLog();
  {
    PausedWriter paused(*database_);
    loop_.Advance(absl::Hours(4) + absl::Seconds(59));
    StartRegister(Node("a"));         // in time
    loop_.Advance(absl::Seconds(1));  // sweeps both
    StartRegister(Node("b"));         // too late
  }
  Advance(absl::ZeroDuration());

  EXPECT_THAT(
      TakeLog(),
      ElementsAre("registered http://a.test", "evicted b http://a.test",
                  "joined b http://a.test", "registered http://a.test"));

  // Both live on for a whole life.
  Advance(absl::Hours(4) + absl::Seconds(58));
  EXPECT_THAT(TakeLog(), IsEmpty());
}

TEST_F(EmbeddedRegistryTest, WhenTheStoreFailsNothingHasHappened) {
  const RegisterAnswer a = MustRegister(Node("a"));
  TakeLog();
  Execute("PRAGMA query_only = 1");

  StartRegister(Node("b"));
  StartRegister(Node("a", "http://b.test"));
  StartUnregister({a.cluster.id, "a"});
  Advance(absl::ZeroDuration());

  EXPECT_THAT(TakeLog(), testing::Each(testing::HasSubstr("use the store: ")));
  // Who changes nothing needs no disk.
  EXPECT_EQ(MustRegister(Node("a")).record, a.record);
  EXPECT_THAT(TakeLog(), IsEmpty());
  auto refused = Register(Node("b"));
  EXPECT_TRUE(HasReason(refused.status(), Reason::kStoreUnavailable));

  Execute("PRAGMA query_only = 0");
  MustRegister(Node("b"));
  EXPECT_THAT(TakeLog(), ElementsAre("joined b http://a.test"));
}

TEST_F(EmbeddedRegistryTest, ASweepThatTheStoreRefusedIsDoneLater) {
  MustRegister(Node("a"));
  TakeLog();
  Execute("PRAGMA query_only = 1");
  Advance(absl::Hours(4) + absl::Minutes(1));
  EXPECT_THAT(TakeLog(), IsEmpty());

  Execute("PRAGMA query_only = 0");
  Advance(absl::Seconds(20));

  EXPECT_THAT(TakeLog(), ElementsAre("evicted a http://a.test"));
}

TEST_F(EmbeddedRegistryTest, ASweepThatTheStoreRefusesInTheMiddleLosesNobody) {
  for (const char* id : {"a", "b", "c"}) MustRegister(Node(id));
  TakeLog();
  Execute(
      "CREATE TEMP TRIGGER refuse BEFORE DELETE ON main.servers"
      " WHEN OLD.server_id = 'b' BEGIN SELECT RAISE(ABORT, 'refused'); END");
  Advance(absl::Hours(4) + absl::Minutes(1));
  EXPECT_THAT(TakeLog(), IsEmpty());

  Execute("DROP TRIGGER refuse");
  Advance(absl::Seconds(20));

  EXPECT_THAT(TakeLog(),
              ElementsAre("evicted a http://a.test", "evicted b http://a.test",
                          "evicted c http://a.test"));
}

TEST_F(EmbeddedRegistryTest, ASweepThatFindsTheQueueFullIsDoneLater) {
  MustRegister(Node("a"));
  MustRegister(Node("b"));
  TakeLog();
  {
    PausedWriter paused(*database_);
    for (int i = 0; i < 8; ++i) StartUnregister({"none", absl::StrCat(i)});
    loop_.Advance(absl::Hours(4) + absl::Minutes(1));
    paused.Resume();
  }
  Advance(absl::ZeroDuration());
  TakeLog();

  Advance(absl::Seconds(20));

  EXPECT_THAT(TakeLog(), ElementsAre("evicted a http://a.test",
                                     "evicted b http://a.test"));
}

TEST_F(EmbeddedRegistryTest, ALoopThatWasBusyEndsLeasesAllTheSame) {
  MustRegister(Node("a"));
  TakeLog();
  loop_.Stall(absl::Hours(5));
  Advance(absl::ZeroDuration());
  EXPECT_THAT(TakeLog(), ElementsAre("evicted a http://a.test"));
}

TEST_F(EmbeddedRegistryTest, AfterItWasHeldUpLeasesStartAnew) {
  MustRegister(Node("a"));
  TakeLog();
  loop_.Stall(absl::Hours(5));
  standstill_ = loop_.Now();
  Advance(absl::ZeroDuration());
  Advance(absl::Seconds(1));
  Advance(absl::Hours(4) + absl::Seconds(58));
  EXPECT_THAT(TakeLog(), IsEmpty());
  Advance(absl::Seconds(2));
  EXPECT_THAT(TakeLog(), ElementsAre("evicted a http://a.test"));
}

TEST_F(EmbeddedRegistryTest,
       AServerWhoseRegistrationFailedLeavesNothingBehind) {
  MustRegister(Node("a"));
  Execute("PRAGMA query_only = 1");
  EXPECT_FALSE(Register(Node("b")).ok());
  Execute("PRAGMA query_only = 0");
  TakeLog();

  Advance(absl::Hours(4) + absl::Minutes(2));

  EXPECT_THAT(TakeLog(), ElementsAre("evicted a http://a.test"));
}

TEST_F(EmbeddedRegistryTest, AFullQueueIsToldOnTheLoop) {
  PausedWriter paused(*database_);
  for (int i = 0; i < 8; ++i) StartRegister(Node(absl::StrCat(i)));
  absl::Status refused;

  registry_->Register({Node("one-too-many")},
                      [&](absl::StatusOr<RegisterAnswer> answer) {
                        refused = answer.status();
                      });

  EXPECT_TRUE(refused.ok()) << "answered inside the call";
  loop_.RunPosted();
  EXPECT_TRUE(HasReason(refused, Reason::kStoreUnavailable)) << refused;
}

TEST_F(EmbeddedRegistryTest, LeaseIsNeverLongerThanNodesTimers) {
  Start({.lease = absl::Hours(24 * 60)});

  EXPECT_EQ(MustRegister(Node("a")).lease, absl::Milliseconds(2'147'483'647));
}

TEST_F(EmbeddedRegistryTest, NamesThatTheContractForbidsAreRefused) {
  Server bad_type = Node("a");
  bad_type.type = "1st";
  EXPECT_EQ(StdView(Register(bad_type).status().message()),
            "server.type: must match [A-Za-z][A-Za-z0-9_-]{0,63}");
  const absl::Status status = Register(Node("a/b")).status();
  EXPECT_TRUE(HasReason(status, Reason::kInvalidField)) << status;
  EXPECT_THAT(TakeLog(), IsEmpty());
}

TEST_F(EmbeddedRegistryTest, TheEndWaitsForWhatIsInFlight) {
  auto paused = std::make_unique<PausedWriter>(*database_);
  StartRegister(Node("a"));
  paused.reset();
  registry_.reset();

  EXPECT_THAT(TakeLog(), ElementsAre("joined a http://a.test",
                                     "registered http://a.test"));
  Advance(absl::Hours(5));
  EXPECT_THAT(TakeLog(), IsEmpty());
}

}  // namespace
}  // namespace coord
