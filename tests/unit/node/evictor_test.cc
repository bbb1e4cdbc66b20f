#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "common/error.h"
#include "tests/unit/node/evictor_fixture.h"

namespace coord {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// `dead` and `peer` are held by others.
class EvictorTest : public EvictorFixture {
 protected:
  EvictorTest() {
    AddStranger("dead");
    AddStranger("peer");
    Start();
  }

  void FailProbes(int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_EQ(Requests(), 1u);
      ASSERT_EQ(Sent(), "DELETE http://dead.test/x/itResources/-/servers/-");
      AnswerDead();
      if (i + 1 < count) Advance(absl::Seconds(1));
    }
  }
};

TEST_F(EvictorTest, RefreshesProbesRemovesAndTellsTheRest) {
  const int before = registry_.register_calls;
  Suspect(Member("dead"));
  EXPECT_EQ(registry_.register_calls, before + 1);
  FailProbes(3);
  ASSERT_THAT(registry_.seen_evidence, SizeIs(1));
  EXPECT_EQ(registry_.seen_evidence[0].seen.text, "stranger-dead");
  EXPECT_LT(registry_.seen_evidence[0].since, loop_.Now());
  EXPECT_EQ(Member("dead"), nullptr);
  ASSERT_EQ(Requests(), 1u);
  EXPECT_EQ(Sent(),
            "DELETE http://peer.test/x/itResources/c-mTest/servers/dead");
  EXPECT_EQ(observer_.suspected, 1);
  EXPECT_THAT(observer_.causes, ElementsAre(EvictionCause::kUnreachable));
}

TEST_F(EvictorTest, ManySuspicionsAreOneCase) {
  const ServerPtr dead = Member("dead");
  for (int i = 0; i < 5; ++i) Suspect(dead);
  EXPECT_EQ(Requests(), 1u);
  EXPECT_EQ(observer_.suspected, 1);
}

TEST_F(EvictorTest, AnyAnswerClears) {
  Suspect(Member("dead"));
  FailProbes(2);
  Advance(absl::Seconds(1));
  transport_.Answer(500, "");
  EXPECT_EQ(observer_.cleared, 1);
  EXPECT_THAT(registry_.seen_evidence, IsEmpty());
  EXPECT_NE(Member("dead"), nullptr);
}

TEST_F(EvictorTest, ASuspicionAboutAReplacedRecordIsDropped) {
  const ServerPtr old = Member("dead");
  Server renewed = *old;
  renewed.version = {"v99"};
  membership_->Apply({"c-mTest", "mTest", ""},
                     {ChangeType::kUpdated, std::make_shared<Server>(renewed)},
                     loop_.WallTime());
  Suspect(old);
  EXPECT_EQ(Requests(), 0u);
  EXPECT_EQ(observer_.suspected, 0);
}

TEST_F(EvictorTest, ARecordThatTheRefreshReplacesIsCleared) {
  const ServerPtr old = Member("dead");
  registry_.records["c-mTest"]["dead"].version = {"v99"};
  Suspect(old);
  EXPECT_EQ(Requests(), 0u);
  EXPECT_EQ(observer_.cleared, 1);
}

TEST_F(EvictorTest, ANewerRecordIsTakenWithoutALoop) {
  Suspect(Member("dead"));
  registry_.automatic = false;
  FailProbes(3);
  Server newer = *Member("dead");
  newer.version = {"v99"};
  newer.cluster_base_url = "http://moved.test";
  registry_.AnswerRemoval(NewerRecord{newer});
  Settle();
  EXPECT_EQ(Member("dead")->cluster_base_url, "http://moved.test");
  EXPECT_EQ(observer_.cleared, 1);
  EXPECT_EQ(Requests(), 0u);
  Advance(absl::Minutes(1));
  EXPECT_THAT(registry_.removals, IsEmpty());
}

TEST_F(EvictorTest, WithoutTheAuthorityItStaysSuspected) {
  registry_.automatic = false;
  Suspect(Member("dead"));
  registry_.FailRegister(MakeError(Reason::kAuthorityUnavailable, "down"));
  Settle();
  FailProbes(3);
  EXPECT_THAT(registry_.removals, IsEmpty());
  ASSERT_NE(Member("dead"), nullptr);
  EXPECT_EQ(Member("dead")->state, ServerState::kSuspected);
  EXPECT_EQ(observer_.kept, 1);
}

TEST_F(EvictorTest, ABadAnswerToTheRemovalKeepsIt) {
  Suspect(Member("dead"));
  registry_.automatic = false;
  FailProbes(3);
  registry_.AnswerRemoval(MakeError(Reason::kAuthorityBadAnswer, "{}"));
  Settle();
  EXPECT_EQ(Member("dead")->state, ServerState::kSuspected);
  EXPECT_EQ(Requests(), 0u);
}

TEST_F(EvictorTest, OneThatStaysIsLookedAtAgainUntilItGoes) {
  registry_.automatic = false;
  Suspect(Member("dead"));
  registry_.FailRegister(MakeError(Reason::kAuthorityUnavailable, "down"));
  Settle();
  FailProbes(3);
  registry_.automatic = true;
  AwaitRequest(absl::Seconds(4));
  FailProbes(3);
  EXPECT_EQ(Member("dead"), nullptr);
  EXPECT_EQ(observer_.suspected, 1);
  EXPECT_EQ(observer_.kept, 1);
  EXPECT_EQ(observer_.evicted, 1);
}

TEST_F(EvictorTest, SuspectedEndsByItselfWhenItAnswers) {
  registry_.automatic = false;
  Suspect(Member("dead"));
  registry_.FailRegister(MakeError(Reason::kAuthorityUnavailable, "down"));
  Settle();
  FailProbes(3);
  ASSERT_EQ(Member("dead")->state, ServerState::kSuspected);
  registry_.automatic = true;
  AwaitRequest(absl::Seconds(4));
  AnswerAlive();
  EXPECT_EQ(Member("dead")->state, ServerState::kActive);
  Advance(absl::Minutes(1));
  EXPECT_EQ(Requests(), 0u);
}

TEST_F(EvictorTest, OneThatDrainsGoesOnDrainingWhenItStays) {
  membership_->SetState(Key("dead"), Member("dead")->version,
                        ServerState::kDraining, loop_.WallTime());
  registry_.automatic = false;
  Suspect(Member("dead"));
  registry_.FailRegister(MakeError(Reason::kAuthorityUnavailable, "down"));
  Settle();
  FailProbes(3);
  EXPECT_EQ(observer_.kept, 1);
  EXPECT_EQ(Member("dead")->state, ServerState::kDraining);
}

TEST_F(EvictorTest, OneThatComesBackWhileItIsRemovedStays) {
  Suspect(Member("dead"));
  registry_.automatic = false;
  FailProbes(3);
  Server back = *Member("dead");
  back.version = {"v99"};
  membership_->Apply({"c-mTest", "mTest", ""},
                     {ChangeType::kUpdated, std::make_shared<Server>(back)},
                     loop_.WallTime());
  registry_.AnswerRemoval(Removed{});
  Settle();
  ASSERT_NE(Member("dead"), nullptr);
  EXPECT_EQ(Member("dead")->version.text, "v99");
  EXPECT_EQ(Requests(), 0u);  // nobody is told that it left
}

TEST_F(EvictorTest, OneThatAnswersAgainIsNoLongerSuspected) {
  membership_->SetState(Key("dead"), Member("dead")->version,
                        ServerState::kSuspected, loop_.WallTime());
  Suspect(Member("dead"));
  AnswerAlive();
  EXPECT_EQ(Member("dead")->state, ServerState::kActive);
}

TEST_F(EvictorTest, TheSameServerIsEvictedOnceInTenMinutes) {
  Suspect(Member("dead"));
  FailProbes(3);
  while (Requests() > 0) AnswerAlive();
  AddStranger("dead");
  registrar_->Refresh("c-mTest", [](absl::Status) {});
  Settle();
  Suspect(Member("dead"));
  FailProbes(3);
  EXPECT_THAT(registry_.seen_evidence, SizeIs(1));
  EXPECT_EQ(Member("dead")->state, ServerState::kSuspected);

  const absl::Time first = loop_.Now();
  while (registry_.seen_evidence.size() == 1 &&
         loop_.Now() < first + absl::Minutes(11)) {
    Advance(absl::Seconds(1));
    while (Requests() > 0) AnswerDead();
  }
  EXPECT_THAT(registry_.seen_evidence, SizeIs(2));
  EXPECT_GE(loop_.Now() - first, absl::Minutes(10) - absl::Seconds(2));
}

TEST_F(EvictorTest, AServerHeldHereIsOrphanedWhenItDoesNotAnswer) {
  Suspect(Member("own"));
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(Requests(), 1u);
    AnswerDead();
    if (i < 2) Advance(absl::Seconds(1));
  }
  while (Requests() > 0) AnswerAlive();  // the leave
  Advance(absl::ZeroDuration());
  ASSERT_EQ(Requests(), 1u);
  EXPECT_EQ(Sent(), "GET http://own.test/x");
  AnswerDead();
  EXPECT_EQ(StateOf("own"), RegistrationState::kOrphan);
  EXPECT_EQ(Get("own")->message,
            "evicted by this clusterd, and the service does not answer: made "
            "to fail");
  EXPECT_THAT(observer_.causes, ElementsAre(EvictionCause::kUnreachable));
  EXPECT_EQ(Member("own"), nullptr);
}

TEST_F(EvictorTest, OfTwoRecordsWithOneAddressTheOlderGoes) {
  Server newer = ServerOf("successor");
  newer.node_api = NodeApi::kYes;
  newer.cluster_base_url = "http://dead.test/x";
  newer.update_time = loop_.WallTime();
  newer.version = {"v50"};
  registry_.Add("c-mTest", newer);
  Suspect(Member("dead"));
  EXPECT_EQ(Member("dead"), nullptr);
  EXPECT_NE(Member("successor"), nullptr);
  EXPECT_THAT(observer_.causes, ElementsAre(EvictionCause::kSameAddress));
  EXPECT_EQ(observer_.suspected, 1);
}

TEST_F(EvictorTest, OneThatDidNotNameItselfIsAskedWhetherItHadTo) {
  Start();
  Server unknown = ServerOf("peer");
  unknown.node_api = NodeApi::kUnknown;
  evictor_->Nameless(std::make_shared<const Server>(unknown));
  Settle();
  ASSERT_EQ(Requests(), 1u);
  EXPECT_EQ(Sent(), "DELETE http://peer.test/x/itResources/-/servers/-");
  EXPECT_EQ(observer_.suspected, 0);
}

}  // namespace
}  // namespace coord
