// Somebody removed a server that is held here, or claims to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "server/node/contest_backoff.h"
#include "tests/support/log_capture.h"
#include "tests/unit/node/node_fixture.h"

namespace coord {
namespace {

class ContestTest : public NodeFixture {
 protected:
  void Contest(const std::string& id, Claim claim = Claim::kRemovedAtMit) {
    registrar_->Contested(Key(id), claim);
    Advance(absl::ZeroDuration());
  }
};

TEST_F(ContestTest, TheLivingRegisterAndAnnounceAtOnce) {
  AddStranger("peer");
  Registered(Command("a"));
  transport_.Answer(200, NodeAnswer("{}", "peer"));
  registry_.records["c-mTest"].erase("a");
  Contest("a");
  ASSERT_EQ(Requests(), 1u);
  EXPECT_EQ(Sent(), "GET http://a.test/x");
  AnswerAlive();
  EXPECT_TRUE(registry_.records["c-mTest"].contains("a"));
  EXPECT_EQ(StateOf("a"), RegistrationState::kRegistered);
  ASSERT_EQ(Requests(), 1u);
  EXPECT_EQ(Sent(), "POST http://peer.test/x/itResources");
}

TEST_F(ContestTest, TheDeadBecomeOrphansAndAreNotRenewed) {
  registry_.lease = absl::Seconds(10);
  const std::string session =
      Registered(Command("a", absl::Hours(1))).session_id;
  Contest("a");
  AnswerDead();
  EXPECT_EQ(StateOf("a"), RegistrationState::kOrphan);
  EXPECT_EQ(Get("a")->StatusText(),
            "orphan: removed by others, from this clusterd as mIT, and the "
            "service does not answer: made to fail");
  EXPECT_EQ(Member("a"), nullptr);
  const int before = registry_.register_calls;
  Advance(absl::Seconds(30));
  EXPECT_EQ(registry_.register_calls, before);
  const auto answer = KeepAlive(session);
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->state, RegistrationState::kOrphan);
}

TEST_F(ContestTest, AnOrphanSaysWhatIsKnownAndNoMore) {
  struct Case {
    Claim claim;
    const char* words;
    std::vector<EvictionCause> counted;
  };
  const Case cases[] = {
      {Claim::kEvicted, "evicted by this clusterd", {}},
      {Claim::kEvictedByHand, "evicted by hand", {}},
      {Claim::kRemovedAtMit,
       "removed by others, from this clusterd as mIT",
       {}},
      {Claim::kLeaveTold,
       "left, as another server says",
       {EvictionCause::kPeer}},
      {Claim::kMoveTold,
       "registered elsewhere, as another server says",
       {EvictionCause::kPeer}},
      {Claim::kNotListed,
       "no longer listed by the authority",
       {EvictionCause::kAuthority}},
  };
  for (const Case& it : cases) {
    SCOPED_TRACE(it.words);
    observer_.causes.clear();
    Registered(Command("a"));
    Contest("a", it.claim);
    AnswerDead();
    EXPECT_EQ(Get("a")->StatusText(),
              std::string("orphan: ") + it.words +
                  ", and the service does not answer: made to fail");
    EXPECT_EQ(observer_.causes, it.counted);
    Unregister(Ref("a"));
  }
}

TEST_F(ContestTest, AProbeThatLearnsNothingIsRepeated) {
  Registered(Command("a", absl::Hours(24)));
  const int before = registry_.register_calls;
  Contest("a");
  for (int i = 0; i < 3; ++i) {
    AnswerNoName();
    EXPECT_EQ(registry_.register_calls, before);
    EXPECT_EQ(StateOf("a"), RegistrationState::kRegistered);
    AwaitRequest(absl::Minutes(6));
  }
  AnswerAlive();
  EXPECT_GT(registry_.register_calls, before);
}

TEST_F(ContestTest, AnOrphanHasNoNextRenewal) {
  Registered(Command("a"));
  EXPECT_GT(Get("a")->next_renewal_time, absl::InfinitePast());
  Contest("a");
  AnswerDead();
  EXPECT_EQ(Get("a")->next_renewal_time, absl::InfinitePast());
}

TEST_F(ContestTest, OneThatLivesIsToldOf) {
  LogCapture log;
  Registered(Command("a"));
  Contest("a", Claim::kEvictedByHand);
  AnswerAlive();
  EXPECT_THAT(log.Lines("a server that was taken for gone"),
              testing::ElementsAre(
                  "info: a server that was taken for gone registers again "
                  "server=mTest/a claim=\"evicted by hand\" probe=\"answered "
                  "200\""));
}

TEST_F(ContestTest, AnOrphanWhoseCallerSpeaksIsProbedUntilItAnswers) {
  Registered(Command("a", absl::Hours(24)));
  Contest("a");
  AnswerDead();
  for (int i = 0; i < 12; ++i) {
    AwaitRequest(absl::Minutes(5) + absl::Seconds(1));
    AnswerDead();
  }
  EXPECT_EQ(StateOf("a"), RegistrationState::kOrphan);
  AwaitRequest(absl::Minutes(5) + absl::Seconds(1));
  AnswerAlive();
  EXPECT_EQ(StateOf("a"), RegistrationState::kRegistered);
}

TEST_F(ContestTest, AnOrphanWithoutATtlIsBackWhenItAnswers) {
  RegisteredOnceProbed(Command("a", std::nullopt));
  Contest("a");
  AnswerDead();
  EXPECT_EQ(StateOf("a"), RegistrationState::kOrphan);
  for (int i = 0; i < 20; ++i) {
    AwaitRequest(absl::Seconds(31));
    AnswerDead();
  }
  EXPECT_EQ(StateOf("a"), RegistrationState::kOrphan);
  EXPECT_THAT(registry_.seen_evidence, testing::IsEmpty());
  EXPECT_THAT(observer_.causes, testing::IsEmpty());  // it had been removed
  AwaitRequest(absl::Seconds(31));
  AnswerAlive();
  EXPECT_EQ(StateOf("a"), RegistrationState::kRegistered);
}

TEST_F(ContestTest, ManyClaimsAreOneProbe) {
  Registered(Command("a"));
  for (int i = 0; i < 5; ++i) Contest("a");
  EXPECT_EQ(Requests(), 1u);
}

TEST_F(ContestTest, RepeatedClaimsAreAnsweredMoreAndMoreSlowly) {
  Registered(Command("a"));
  Contest("a");
  AnswerAlive();
  Contest("a");
  EXPECT_EQ(Requests(), 0u);
  Advance(absl::Seconds(1));
  ASSERT_EQ(Requests(), 1u);
  AnswerAlive();
  Contest("a");
  Advance(absl::Seconds(0.9));
  EXPECT_EQ(Requests(), 0u);
  Advance(absl::Seconds(1.1));
  EXPECT_EQ(Requests(), 1u);
}

TEST_F(ContestTest, AProbedServiceIsProbedWhileAClaimWaits) {
  RegisteredOnceProbed(Command("a", std::nullopt));
  // Until the next claim waits for longer than three probes take.
  for (int i = 0; i < 9; ++i) {
    const int before = registry_.register_calls;
    Contest("a");
    while (registry_.register_calls == before) {
      while (Requests() > 0) AnswerAlive();
      Advance(absl::Seconds(1));
    }
  }
  Contest("a");
  for (int i = 0; i < 3; ++i) {
    AwaitRequest(absl::Seconds(12));
    AnswerDead();
  }
  EXPECT_EQ(StateOf("a"), RegistrationState::kOrphan);
  EXPECT_THAT(observer_.causes, testing::ElementsAre(EvictionCause::kProbe));
}

TEST_F(ContestTest, AClaimOutlivesARetryOfTheCaller) {
  RegisterCommand command = Command("a");
  command.session_id = Registered(command).session_id;
  registry_.records["c-mTest"].erase("a");
  Contest("a");
  ASSERT_EQ(Requests(), 1u);
  Registered(command);
  AnswerAlive();
  EXPECT_TRUE(registry_.records["c-mTest"].contains("a"));
}

TEST_F(ContestTest, AClaimThatARemovalOvertookDoesNotBlockTheNext) {
  Registered(Command("a"));
  Contest("a");
  registry_.automatic = false;
  Unregister(Ref("a"));
  AnswerAlive();
  Registered(Command("a"));
  registry_.AnswerUnregister(absl::OkStatus());
  Settle();
  registry_.AnswerRegister();
  Settle();
  Contest("a");
  Advance(absl::Seconds(1));
  EXPECT_EQ(Requests(), 1u);
}

TEST_F(ContestTest, AnAnswerThatLacksAServerIsAClaim) {
  Registered(Command("a"));
  Advance(absl::Seconds(1));
  registry_.records["c-mTest"].erase("a");
  Registered(Command("b"));
  EXPECT_NE(Member("a"), nullptr);
  AwaitRequest(absl::ZeroDuration());
  EXPECT_EQ(Sent(), "GET http://a.test/x");
  AnswerAlive();
  EXPECT_TRUE(registry_.records["c-mTest"].contains("a"));
  EXPECT_EQ(observer_.evicted, 0);
}

TEST_F(ContestTest, OneThatIsNotListedAndDeadIsAnEvictionOfTheAuthority) {
  Registered(Command("a"));
  Advance(absl::Seconds(1));
  registry_.records["c-mTest"].erase("a");
  Registered(Command("b"));
  AwaitRequest(absl::ZeroDuration());
  AnswerDead();
  EXPECT_EQ(Get("a")->message,
            "no longer listed by the authority, and the service does not "
            "answer: made to fail");
  EXPECT_THAT(observer_.causes,
              testing::ElementsAre(EvictionCause::kAuthority));
}

TEST_F(ContestTest, NobodyContestsWhatIsNotHeldHere) {
  Registered(Command("a"));
  Contest("b");
  EXPECT_EQ(Requests(), 0u);
}

TEST(ContestBackoffTest, GrowsToFiveMinutesAndIsForgottenAfterTen) {
  absl::BitGen random;
  ContestBackoff backoff;
  absl::Time now = absl::FromUnixSeconds(1000);
  EXPECT_EQ(backoff.Next(now, random), absl::ZeroDuration());
  const absl::Duration second = backoff.Next(now, random);
  EXPECT_GE(second, absl::Seconds(0.5));
  EXPECT_LE(second, absl::Seconds(1));
  absl::Duration last;
  for (int i = 0; i < 40; ++i) {
    now += absl::Minutes(9);
    last = backoff.Next(now, random);
  }
  EXPECT_GE(last, absl::Minutes(2.5));
  EXPECT_LE(last, absl::Minutes(5));
  // Quiet is counted from the answer, not from the claim before it.
  now += last + absl::Minutes(10) - absl::Nanoseconds(1);
  last = backoff.Next(now, random);
  EXPECT_GE(last, absl::Minutes(2.5));
  now += last + absl::Minutes(10);
  EXPECT_EQ(backoff.Next(now, random), absl::ZeroDuration());
}

}  // namespace
}  // namespace coord
