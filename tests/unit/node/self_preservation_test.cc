// Most servers look dead, and so this process suspects itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/strip.h"
#include "common/error.h"
#include "tests/unit/node/evictor_fixture.h"

namespace coord {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class SelfPreservationTest : public EvictorFixture {
 protected:
  void StartWith(const std::vector<std::string>& strangers) {
    for (const std::string& id : strangers) AddStranger(id);
    Start();
  }
  // They are dead from now on, and a fan-out tells.
  void Die(const std::vector<std::string>& ids) {
    for (const std::string& id : ids) {
      dead_.insert(id);
      Suspect(Member(id));
    }
  }
  // Lets time pass in a world where all but the dead answer.
  void Pass(absl::Duration time) {
    for (const absl::Time end = loop_.Now() + time; loop_.Now() < end;) {
      while (Requests() > 0) {
        const std::string host = transport_.requests[0].request.origin.host;
        const bool dead =
            dead_.contains(std::string(absl::StripSuffix(host, ".test")));
        dead ? AnswerDead() : AnswerAlive();
      }
      Advance(absl::Seconds(1));
    }
  }
  // How long until `id` is no member any more.
  absl::Duration UntilGone(const std::string& id) {
    const absl::Time start = loop_.Now();
    while (Member(id) != nullptr && loop_.Now() < start + absl::Hours(1)) {
      Pass(absl::Seconds(1));
    }
    return loop_.Now() - start;
  }

  std::set<std::string> dead_;
};

TEST_F(SelfPreservationTest, HalfOfTheOthersAreEvictedAtOnce) {
  StartWith({"a", "b", "c", "d"});
  Die({"a", "b"});
  Pass(absl::Seconds(4));
  EXPECT_EQ(observer_.evicted, 2);
  EXPECT_THAT(alarms_, IsEmpty());
}

TEST_F(SelfPreservationTest, MostOfTheOthersAreHeldBack) {
  StartWith({"a", "b", "c"});
  const int asked = registry_.register_calls;
  Die({"a", "b"});
  Pass(absl::Minutes(4));
  EXPECT_THAT(registry_.seen_evidence, IsEmpty());
  EXPECT_EQ(Member("a")->state, ServerState::kSuspected);
  EXPECT_EQ(Member("b")->state, ServerState::kSuspected);
  EXPECT_EQ(Member("c")->state, ServerState::kActive);
  EXPECT_TRUE(doubt_->active());
  EXPECT_EQ(doubt_->Cause(),
            "2 of 3 servers of mTest that others registered fail their probes; "
            "the last is b: made to fail; no limit of this clusterd is near");
  EXPECT_THAT(alarms_, ElementsAre(true));
  EXPECT_EQ(observer_.held_back, 2);
  EXPECT_EQ(registry_.register_calls, asked + 2)
      << "the authority is not asked while nothing may be evicted";
}

TEST_F(SelfPreservationTest, ItsCauseNamesTheLimitsThatAreNear) {
  near_limits_ = "open files 250 of 256";
  StartWith({"a", "b", "c"});
  Die({"a", "b"});
  Pass(absl::Minutes(4));
  EXPECT_THAT(doubt_->Cause(),
              EndsWith("; near its limits: open files 250 of 256"));
}

TEST_F(SelfPreservationTest, TheDeadGoOneAMinuteAfterFive) {
  StartWith({"a", "b", "c", "d"});
  Die({"a", "b", "c", "d"});
  std::vector<absl::Time> gone;
  const absl::Time start = loop_.Now();
  while (gone.size() < 4 && loop_.Now() < start + absl::Minutes(20)) {
    Pass(absl::Seconds(1));
    while (gone.size() < registry_.seen_evidence.size()) {
      gone.push_back(loop_.Now());
    }
  }
  ASSERT_THAT(gone, SizeIs(4));
  const absl::Duration look = absl::Seconds(36);
  EXPECT_GE(gone[0] - start, absl::Minutes(5));
  EXPECT_LE(gone[0] - start, absl::Minutes(5) + look);
  EXPECT_GE(gone[1] - gone[0], absl::Seconds(59));
  EXPECT_LE(gone[1] - gone[0], absl::Minutes(1) + look);
  EXPECT_GE(gone[2] - gone[1], absl::Seconds(59));
  EXPECT_LE(gone[2] - gone[1], absl::Minutes(1) + look);
  // The last one is no majority.
  EXPECT_LE(gone[3] - gone[2], look);
  EXPECT_THAT(alarms_, ElementsAre(true, false));
}

TEST_F(SelfPreservationTest, EndsWhenTheNetworkIsBack) {
  StartWith({"a", "b", "c"});
  const std::size_t timers = loop_.timers();
  Die({"a", "b", "c"});
  Pass(absl::Minutes(4));
  ASSERT_TRUE(doubt_->active());
  dead_.clear();
  Pass(absl::Seconds(36));
  EXPECT_FALSE(doubt_->active());
  EXPECT_EQ(doubt_->Cause(), "");
  EXPECT_THAT(alarms_, ElementsAre(true, false));
  EXPECT_EQ(observer_.cleared, 3);
  for (const char* id : {"a", "b", "c"}) {
    EXPECT_EQ(Member(id)->state, ServerState::kActive) << id;
  }
  EXPECT_EQ(loop_.timers(), timers);
}

TEST_F(SelfPreservationTest, TheRestGoesWhenItEnds) {
  StartWith({"a", "b", "c"});
  Die({"a", "b"});
  Pass(absl::Minutes(1));
  dead_.erase("b");
  EXPECT_LE(UntilGone("a"), absl::Seconds(72));
  EXPECT_THAT(alarms_, ElementsAre(true, false));
  EXPECT_NE(Member("b"), nullptr);
}

TEST_F(SelfPreservationTest, NobodyGoesWithoutTheAuthority) {
  StartWith({"a", "b"});
  registry_.automatic = false;
  auto down = [this] {
    while (!registry_.registers.empty()) {
      registry_.FailRegister(MakeError(Reason::kAuthorityUnavailable, "down"));
      Settle();
    }
  };
  Die({"a", "b"});
  for (int second = 0; second < 600; ++second) {
    down();
    Pass(absl::Seconds(1));
  }
  EXPECT_THAT(registry_.removals, IsEmpty());
  EXPECT_EQ(observer_.kept, 2);
  down();
  registry_.automatic = true;
  EXPECT_LE(UntilGone("a"), absl::Minutes(3));
  EXPECT_LE(UntilGone("b"), absl::Minutes(3));
}

TEST_F(SelfPreservationTest, ThoseHeldHereCountWhereAllAre) {
  Start();
  for (const char* id : {"a", "b", "c", "d"}) Registered(Command(id));
  Die({"a", "b"});
  Pass(absl::Seconds(4));
  EXPECT_THAT(registry_.seen_evidence, SizeIs(2));
  EXPECT_THAT(alarms_, IsEmpty());
  Die({"c", "d"});
  Pass(absl::Seconds(4));
  EXPECT_THAT(registry_.seen_evidence, SizeIs(2));
  EXPECT_THAT(alarms_, ElementsAre(true));
}

// Services that this process probes by itself, without anybody's suspicion.
class ProbedTest : public NodeFixture {
 protected:
  static constexpr const char* kIds[] = {"a", "b", "c", "d"};

  ProbedTest() {
    for (const char* id : kIds) {
      RegisteredOnceProbed(Command(id, std::nullopt));
    }
  }
  // Lets time pass; those in silent_ do not answer, those in dead_ refuse.
  void Pass(absl::Duration time) {
    for (const absl::Time end = loop_.Now() + time; loop_.Now() < end;) {
      while (Requests() > 0) {
        const std::string host = transport_.requests[0].request.origin.host;
        const std::string id(absl::StripSuffix(host, ".test"));
        if (silent_.contains(id)) {
          transport_.Fail(HttpError::Kind::kTimeout, true);
          Settle();
        } else {
          dead_.contains(id) ? AnswerDead() : AnswerAlive();
        }
      }
      Advance(absl::Seconds(1));
    }
  }
  // How many have a record.
  std::size_t Listed() {
    return static_cast<std::size_t>(std::count_if(
        std::begin(kIds), std::end(kIds),
        [this](const char* id) { return Member(id) != nullptr; }));
  }

  std::set<std::string> silent_;
  std::set<std::string> dead_;
};

TEST_F(ProbedTest, TheNetworkIsCutAndNobodyGoes) {
  silent_ = {"a", "b", "c", "d"};
  Pass(absl::Minutes(4));
  EXPECT_EQ(Listed(), 4u);
  EXPECT_THAT(registry_.seen_evidence, IsEmpty());
  EXPECT_THAT(alarms_, ElementsAre(true));
  silent_.clear();
  Pass(absl::Seconds(12));
  EXPECT_THAT(alarms_, ElementsAre(true, false));
  for (const char* id : kIds) {
    EXPECT_EQ(StateOf(id), RegistrationState::kRegistered) << id;
  }
}

TEST_F(ProbedTest, HalfOfThemGo) {
  silent_ = {"a", "b"};
  Pass(absl::Seconds(40));
  EXPECT_EQ(Member("a"), nullptr);
  EXPECT_EQ(Member("b"), nullptr);
  EXPECT_EQ(Listed(), 2u);
  EXPECT_THAT(alarms_, IsEmpty());
}

TEST_F(ProbedTest, WhereTheMachineRefusesTheNetworkIsWhole) {
  dead_ = {"a", "b", "c", "d"};
  Pass(absl::Seconds(40));
  EXPECT_EQ(Listed(), 0u);
  EXPECT_THAT(alarms_, IsEmpty());
}

TEST_F(ProbedTest, ThoseThatStaySilentGoOneAMinuteAfterFive) {
  silent_ = {"a", "b", "c"};
  Pass(absl::Minutes(5));
  EXPECT_EQ(Listed(), 4u);
  Pass(absl::Seconds(22));  // the third one's second look
  EXPECT_EQ(Listed(), 3u);
  Pass(absl::Minutes(2));
  EXPECT_EQ(Listed(), 1u);
  EXPECT_THAT(alarms_, ElementsAre(true, false));
}

TEST_F(ProbedTest, OneThatIsUnregisteredIsDoubtedNoMore) {
  silent_ = {"a", "b", "c"};
  Pass(absl::Minutes(1));
  ASSERT_THAT(alarms_, ElementsAre(true));
  for (const char* id : {"a", "b", "c"}) Unregister(Ref(id));
  EXPECT_THAT(alarms_, ElementsAre(true, false));
}

TEST_F(SelfPreservationTest, ASupersededRecordGoesAllTheSame) {
  StartWith({"a", "b", "c"});
  Die({"a", "b", "c"});
  Pass(absl::Seconds(10));
  ASSERT_TRUE(doubt_->active());
  Server successor = ServerOf("successor");
  successor.cluster_base_url = "http://b.test/x";
  successor.update_time = loop_.WallTime();
  successor.version = {"v50"};
  registry_.Add("c-mTest", successor);
  registrar_->Refresh("c-mTest", [](absl::Status) {});
  Pass(absl::Seconds(36));
  EXPECT_EQ(Member("b"), nullptr);
  EXPECT_NE(Member("a"), nullptr);
}

}  // namespace
}  // namespace coord
