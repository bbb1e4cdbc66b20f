// A registration lasts while its service lives, by its caller's word or by our
// own probe.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "tests/support/log_capture.h"
#include "tests/unit/node/node_fixture.h"

namespace coord {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::optional<absl::Duration> kProbed = std::nullopt;

class LivenessTest : public NodeFixture {
 protected:
  // To the removal that waits: the registration ends, the newer record stays.
  void AnswerThatAnotherHolds(const std::string& id) {
    Server newer = ServerOf(id);
    newer.cluster_base_url = "http://other-host.test";
    newer.version = {"v9"};
    registry_.AnswerRemoval(NewerRecord{newer});
    Settle();
    EXPECT_FALSE(IsHeld(id));
    ASSERT_NE(Member(id), nullptr);
    EXPECT_EQ(Member(id)->cluster_base_url, "http://other-host.test");
  }
  // An interval and its jitter.
  void AwaitProbe() { AwaitRequest(absl::Seconds(12)); }
  void Kill(const std::string& id) {
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(StateOf(id), RegistrationState::kRegistered);
      AwaitProbe();
      AnswerDead();
    }
    EXPECT_EQ(StateOf(id), RegistrationState::kOrphan);
  }
};

TEST_F(LivenessTest, ASessionThatIsKeptAliveLasts) {
  const std::string session =
      Registered(Command("a", absl::Seconds(10))).session_id;
  for (int i = 0; i < 5; ++i) {
    Advance(absl::Seconds(9));
    const auto answer = KeepAlive(session);
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->time_left, absl::Seconds(10));
    EXPECT_EQ(answer->state, RegistrationState::kRegistered);
    EXPECT_EQ(answer->etag, Member("a")->version);
  }
  EXPECT_THAT(registry_.seen_evidence, IsEmpty());
}

TEST_F(LivenessTest, ASilentSessionEndsAndItsRecordIsRemoved) {
  AddStranger("peer");
  const std::string session =
      Registered(Command("a", absl::Seconds(10))).session_id;
  transport_.Answer(200, NodeAnswer("{}", "peer"));
  Advance(absl::Seconds(9.9));
  EXPECT_TRUE(IsHeld("a"));
  Advance(absl::Seconds(0.1));
  EXPECT_FALSE(IsHeld("a"));
  ASSERT_THAT(registry_.seen_evidence, SizeIs(1));
  EXPECT_EQ(registry_.seen_evidence[0].seen.text, "v1");
  EXPECT_EQ(Member("a"), nullptr);
  EXPECT_THAT(Stored(), IsEmpty());
  ASSERT_EQ(Requests(), 1u);
  EXPECT_EQ(Sent(), "DELETE http://peer.test/x/itResources/c-mTest/servers/a");
  EXPECT_TRUE(HasReason(KeepAlive(session).status(), Reason::kLeaseExpired));
  EXPECT_EQ(observer_.causes, std::vector{EvictionCause::kSession});
}

TEST_F(LivenessTest, ASilentSessionOfAnOrphanIsNoSecondEviction) {
  LogCapture log;
  Registered(Command("a", absl::Seconds(10)));
  registrar_->Contested(Key("a"), Claim::kNotListed);
  Advance(absl::ZeroDuration());
  AnswerDead();
  Advance(absl::Seconds(10));
  EXPECT_FALSE(IsHeld("a"));
  EXPECT_EQ(observer_.causes, std::vector{EvictionCause::kAuthority});
  EXPECT_EQ(log.Lines("registration ended"),
            std::vector<std::string>{
                "info: registration ended server=mTest/a cause=\"its session "
                "was not kept alive\" record=none"});
}

TEST_F(LivenessTest, ManySessionsEndEachInItsTime) {
  for (int i = 1; i <= 5; ++i) {
    Registered(Command("s" + std::to_string(i), absl::Seconds(i)));
  }
  Advance(absl::Seconds(3));
  for (int i = 1; i <= 5; ++i) {
    EXPECT_EQ(IsHeld("s" + std::to_string(i)), i > 3) << i;
  }
}

TEST_F(LivenessTest, ALoopThatWasHeldUpTakesNobodyForSilent) {
  const std::string session =
      Registered(Command("a", absl::Seconds(10))).session_id;
  Registered(Command("silent", absl::Seconds(10)));
  Advance(absl::Seconds(5));
  StandStill(absl::Hours(1));
  Advance(absl::ZeroDuration());
  EXPECT_TRUE(IsHeld("a"));
  EXPECT_TRUE(IsHeld("silent"));
  Advance(absl::Seconds(9.9));
  EXPECT_TRUE(KeepAlive(session).ok());
  EXPECT_TRUE(IsHeld("silent"));
  Advance(absl::Seconds(0.1));
  EXPECT_TRUE(IsHeld("a"));
  EXPECT_FALSE(IsHeld("silent"));
}

// Whoever pages through long lists must not keep the dead alive.
TEST_F(LivenessTest, ALoopThatWasBusyEndsSessionsAllTheSame) {
  Registered(Command("silent", absl::Seconds(10)));
  Advance(absl::Seconds(9));
  loop_.Stall(absl::Seconds(1.5));
  Advance(absl::ZeroDuration());
  EXPECT_FALSE(IsHeld("silent"));
}

TEST_F(LivenessTest, SessionsThatEndTogetherAllEnd) {
  for (int i = 0; i < 120; ++i) {
    Registered(Command(absl::StrCat("s", i), absl::Seconds(10)));
  }
  Advance(absl::Seconds(10));
  Settle();
  for (int i = 0; i < 120; ++i) EXPECT_FALSE(IsHeld(absl::StrCat("s", i)));
}

TEST_F(LivenessTest, ALoopThatIsHeldUpJustBeforeASessionIsDueNoticesIt) {
  const std::string session =
      Registered(Command("a", absl::Seconds(1))).session_id;
  Advance(absl::Seconds(0.1));
  StandStill(absl::Seconds(0.89));
  Advance(absl::Seconds(0.5));
  EXPECT_TRUE(IsHeld("a"));
  Advance(absl::Seconds(0.5));
  EXPECT_FALSE(IsHeld("a"));
}

TEST_F(LivenessTest, ARenewalOfOneThatFellSilentWaitsForASignOfLife) {
  registry_.lease = absl::Seconds(100);
  const std::string session =
      Registered(Command("kept", absl::Seconds(60))).session_id;
  RegisteredOnceProbed(Command("probed", kProbed));
  const int before = registry_.register_calls;
  StandStill(absl::Minutes(10));
  Advance(absl::ZeroDuration());
  EXPECT_EQ(registry_.register_calls, before);
  EXPECT_TRUE(KeepAlive(session).ok());
  Settle();
  EXPECT_EQ(registry_.register_calls, before + 1);
  ASSERT_EQ(Requests(), 1u);
  AnswerAlive();
  EXPECT_EQ(registry_.register_calls, before + 2);
  EXPECT_EQ(StateOf("kept"), RegistrationState::kRegistered);
  EXPECT_EQ(StateOf("probed"), RegistrationState::kRegistered);
}

TEST_F(LivenessTest, OurOwnRenewalsAreNoSignsOfLife) {
  registry_.lease = absl::Seconds(10);
  const absl::Time start = loop_.Now();
  Registered(Command("a", absl::Seconds(60)));
  Advance(absl::Seconds(60));
  ASSERT_THAT(registry_.seen_evidence, SizeIs(1));
  EXPECT_GT(registry_.seen_evidence[0].since, start + absl::Seconds(20));
  EXPECT_LE(registry_.seen_evidence[0].since, loop_.Now());
}

TEST_F(LivenessTest, ANewerRecordOfAnotherHolderStays) {
  AddStranger("peer");
  Registered(Command("b"));
  Registered(Command("a", absl::Seconds(10)));
  while (Requests() > 0) transport_.Answer(200, NodeAnswer("{}", "peer"));
  registry_.automatic = false;
  Advance(absl::Seconds(10));
  AnswerThatAnotherHolds("a");
  EXPECT_EQ(Requests(), 0u);  // no leave for one that stays
}

// The lease may be over: not every authority lets one expire.
TEST_F(LivenessTest, RemovalOfTheDeadIsRepeatedUntilTheAuthorityAnswers) {
  registry_.lease = absl::Seconds(60);
  Registered(Command("a", absl::Seconds(10)));
  registry_.automatic = false;
  Advance(absl::Seconds(10));
  EXPECT_EQ(StateOf("a"), RegistrationState::kUnregistering);
  for (int i = 0; i < 100; ++i) {
    ASSERT_THAT(registry_.removals, SizeIs(1)) << i;
    registry_.AnswerRemoval(MakeError(Reason::kAuthorityUnavailable, "down"));
    Settle();
    Advance(absl::Seconds(3.3));
  }
  EXPECT_TRUE(IsHeld("a"));
  registry_.AnswerRemoval(Removed{});
  Settle();
  EXPECT_FALSE(IsHeld("a"));
  EXPECT_EQ(Member("a"), nullptr);
  EXPECT_THAT(Stored(), IsEmpty());
}

TEST_F(LivenessTest, WhoUnregistersTheDeadIsAnsweredAfterOneTry) {
  Registered(Command("a", absl::Seconds(10)));
  registry_.automatic = false;
  Advance(absl::Seconds(10));
  registry_.AnswerRemoval(MakeError(Reason::kAuthorityUnavailable, "down"));
  Settle();
  auto& answer = Unregister(Ref("a"));
  ASSERT_THAT(registry_.removals, SizeIs(1));
  registry_.AnswerRemoval(MakeError(Reason::kAuthorityUnavailable, "down"));
  Settle();
  ASSERT_TRUE(answer && answer->ok());
  EXPECT_THAT((*answer)->errors, SizeIs(1));
  EXPECT_FALSE(IsHeld("a"));
}

TEST_F(LivenessTest, ANewIncarnationInterruptsTheRemovalOfTheOld) {
  Registered(Command("a", absl::Seconds(10)));
  registry_.automatic = false;
  Advance(absl::Seconds(10));
  ASSERT_THAT(registry_.removals, SizeIs(1));
  Registered(Command("a"));
  EXPECT_EQ(StateOf("a"), RegistrationState::kPending);
  EXPECT_THAT(registry_.registers, IsEmpty());  // one request at a time
  registry_.AnswerRemoval(Removed{});
  Settle();
  ASSERT_THAT(registry_.registers, SizeIs(1));
  registry_.AnswerRegister();
  Settle();
  EXPECT_EQ(StateOf("a"), RegistrationState::kRegistered);
  EXPECT_THAT(Stored(), SizeIs(1));
}

TEST_F(LivenessTest, WithoutATtlTheServiceIsProbed) {
  RegisteredOnceProbed(Command("a", kProbed));
  Advance(absl::Seconds(8.9));
  EXPECT_EQ(Requests(), 0u);
  AwaitProbe();
  EXPECT_EQ(Sent(), "GET http://a.test/x");
  AnswerAlive();
  EXPECT_EQ(StateOf("a"), RegistrationState::kRegistered);
  AwaitProbe();
}

TEST_F(LivenessTest, ThreeMissesInARowAreDeath) {
  AddStranger("peer");
  RegisteredOnceProbed(Command("a", kProbed));
  transport_.Answer(200, NodeAnswer("{}", "peer"));
  for (int i = 0; i < 2; ++i) {
    AwaitProbe();
    AnswerDead();
  }
  AwaitProbe();
  AnswerAlive();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(StateOf("a"), RegistrationState::kRegistered);
    AwaitProbe();
    AnswerDead();
  }
  EXPECT_EQ(StateOf("a"), RegistrationState::kOrphan);
  EXPECT_EQ(Get("a")->StatusText(),
            "orphan: the service does not answer: made to fail");
  ASSERT_THAT(registry_.seen_evidence, SizeIs(1));
  EXPECT_EQ(registry_.seen_evidence[0].seen.text, "v1");
  EXPECT_EQ(Member("a"), nullptr);
  ASSERT_EQ(Requests(), 1u);
  EXPECT_EQ(Sent(), "DELETE http://peer.test/x/itResources/c-mTest/servers/a");
  EXPECT_EQ(observer_.causes, std::vector{EvictionCause::kProbe});
  EXPECT_THAT(Stored(), SizeIs(1));
}

TEST_F(LivenessTest, OneThatNeverAnsweredIsNeverListed) {
  Registered(Command("a", kProbed));
  for (int i = 0; i < 40; ++i) {
    AwaitRequest(absl::Seconds(3));
    EXPECT_EQ(StateOf("a"), RegistrationState::kPending);
    AnswerDead();
  }
  EXPECT_EQ(Get("a")->StatusText(), "orphan: never answered yet: made to fail");
  EXPECT_EQ(registry_.register_calls, 0);
  EXPECT_THAT(alarms_, IsEmpty());
  AwaitRequest(absl::Seconds(3));
  AnswerAlive();
  EXPECT_EQ(StateOf("a"), RegistrationState::kRegistered);
  EXPECT_NE(Member("a"), nullptr);
}

TEST_F(LivenessTest, OneThatNeverAnsweredLeavesNothingToBeRemoved) {
  Registered(Command("a", kProbed));
  AnswerDead();
  auto& answer = Unregister(Ref("a"));
  ASSERT_TRUE(answer && answer->ok());
  EXPECT_EQ(registry_.unregister_calls, 0);
  EXPECT_FALSE(IsHeld("a"));
  EXPECT_THAT(Stored(), IsEmpty());
}

TEST_F(LivenessTest, WhoWaitsForOneThatDoesNotAnswerYetIsAnsweredWhenItDoes) {
  RegisterCommand command = Command("a", kProbed);
  command.wait = absl::Minutes(5);
  std::optional<absl::StatusOr<RegistrationView>> answer;
  registrar_->Register(command, [&](auto a) { answer = std::move(a); });
  Settle();
  AnswerDead();
  EXPECT_FALSE(answer.has_value());
  AwaitRequest(absl::Seconds(3));
  AnswerAlive();
  ASSERT_TRUE(answer && answer->ok());
  EXPECT_EQ((*answer)->state, RegistrationState::kRegistered);
}

TEST_F(LivenessTest, OneThatDiedIsBackWhenItAnswers) {
  RegisteredOnceProbed(Command("a", kProbed));
  Kill("a");
  for (int i = 0; i < 10; ++i) {
    AwaitRequest(absl::Seconds(31));
    AnswerDead();
  }
  EXPECT_EQ(StateOf("a"), RegistrationState::kOrphan);
  AwaitRequest(absl::Seconds(31));
  AnswerAlive();
  EXPECT_EQ(StateOf("a"), RegistrationState::kRegistered);
  EXPECT_NE(Member("a"), nullptr);
  AwaitProbe();
}

TEST_F(LivenessTest, OneThatAnswersBeforeItsRecordIsRemovedRegistersAnew) {
  RegisteredOnceProbed(Command("a", kProbed));
  registry_.automatic = false;
  Kill("a");
  ASSERT_THAT(registry_.removals, SizeIs(1));
  registry_.AnswerRemoval(MakeError(Reason::kAuthorityUnavailable, "down"));
  Settle();
  AwaitRequest(absl::Seconds(31));
  AnswerAlive();
  // One request at a time: the removal may have been tried again by now.
  if (!registry_.removals.empty()) registry_.AnswerRemoval(Removed{});
  Settle();
  ASSERT_THAT(registry_.registers, SizeIs(1));
  registry_.AnswerRegister();
  Settle();
  EXPECT_EQ(StateOf("a"), RegistrationState::kRegistered);
  Advance(absl::Seconds(4));
  EXPECT_THAT(registry_.removals, IsEmpty());
}

TEST_F(LivenessTest, OneThatDiedAndIsHeldElsewhereByNowEnds) {
  Registered(Command("b"));
  const std::string session =
      RegisteredOnceProbed(Command("a", kProbed)).session_id;
  registry_.automatic = false;
  Kill("a");
  AnswerThatAnotherHolds("a");
  EXPECT_FALSE(KeepAlive(session).ok());
}

TEST_F(LivenessTest, OneWhoseNameIsKnownBeforeItListensIsWaitedFor) {
  Registered(Command("a", kProbed));
  AnswerNoName();
  for (int i = 0; i < 10; ++i) {
    AwaitRequest(absl::Seconds(3));
    AnswerDead();
  }
  EXPECT_EQ(StateOf("a"), RegistrationState::kPending);
}

TEST_F(LivenessTest, RetriesOfItsCallerAreNoLife) {
  RegisterCommand command = Command("a", kProbed);
  command.session_id = RegisteredOnceProbed(command).session_id;
  for (int i = 0; i < 20; ++i) {
    Advance(absl::Seconds(2));
    Registered(command);
    if (Requests() > 0) AnswerDead();
  }
  EXPECT_EQ(StateOf("a"), RegistrationState::kOrphan);
}

TEST_F(LivenessTest, IncarnationsThatNeverAnswerAreNoLife) {
  RegisteredOnceProbed(Command("a", kProbed));
  for (int i = 0; i < 20; ++i) {
    Registered(Command("a", kProbed));
    while (Requests() > 0) AnswerDead();
    Advance(absl::Seconds(2));
  }
  EXPECT_EQ(Member("a"), nullptr);
}

TEST_F(LivenessTest, AnotherPlaceOfTheSameSessionIsProbedAtOnce) {
  RegisterCommand command = Command("a", kProbed);
  command.session_id = Registered(command).session_id;
  command.server.cluster_base_url = "http://moved.test/x";
  Registered(command);
  ASSERT_EQ(Requests(), 2u);
  AnswerAlive();  // at the former place
  EXPECT_EQ(StateOf("a"), RegistrationState::kPending);
  ASSERT_EQ(Requests(), 1u);
  EXPECT_EQ(Sent(), "GET http://moved.test/x");
  AnswerAlive();
  EXPECT_EQ(StateOf("a"), RegistrationState::kRegistered);
}

TEST_F(LivenessTest, ATtlInterruptsTheRemovalOfTheDead) {
  RegisterCommand command = Command("a", kProbed);
  command.session_id = RegisteredOnceProbed(command).session_id;
  registry_.automatic = false;
  Kill("a");
  ASSERT_THAT(registry_.removals, SizeIs(1));
  command.ttl = absl::Seconds(30);
  Registered(command);
  registry_.AnswerRemoval(Removed{});
  Settle();
  ASSERT_THAT(registry_.registers, SizeIs(1));
  registry_.AnswerRegister();
  Settle();
  EXPECT_EQ(StateOf("a"), RegistrationState::kRegistered);
}

TEST_F(LivenessTest, ANewIncarnationOfTheDeadTellsWhyItIsNotListed) {
  RegisteredOnceProbed(Command("a", kProbed));
  Kill("a");
  Registered(Command("a", kProbed));
  EXPECT_EQ(Get("a")->StatusText(), "orphan: never answered yet");
  while (Requests() > 0) AnswerDead();
  EXPECT_EQ(Get("a")->StatusText(), "orphan: never answered yet: made to fail");
}

TEST_F(LivenessTest, OneThatDiedIsNotRemovedTwice) {
  RegisteredOnceProbed(Command("a", kProbed));
  Kill("a");
  EXPECT_THAT(registry_.seen_evidence, SizeIs(1));
  registrar_->Stop(/*unregister=*/true, absl::Seconds(5), [] {});
  Settle();
  EXPECT_EQ(registry_.unregister_calls, 0);
  EXPECT_THAT(registry_.seen_evidence, SizeIs(1));
}

TEST_F(LivenessTest, OneThatIsSilentForTooLongIsForgotten) {
  Restart({.forget_after = absl::Hours(1)});
  Registered(Command("never", kProbed));
  const absl::Time end = loop_.Now() + absl::Hours(1);
  while (IsHeld("never") && loop_.Now() < end + absl::Minutes(1)) {
    AwaitRequest(absl::Seconds(12));
    AnswerDead();
  }
  EXPECT_FALSE(IsHeld("never"));
  EXPECT_GE(loop_.Now(), end);
  EXPECT_THAT(Stored(), IsEmpty());
}

TEST_F(LivenessTest, OneThatIsToLastIsNeverForgotten) {
  Restart({.forget_after = absl::Minutes(5)});
  RegisterCommand command = Command("own", kProbed);
  command.lasting = true;
  Registered(command);
  const absl::Time end = loop_.Now() + absl::Hours(1);
  while (loop_.Now() < end) {
    AwaitRequest(absl::Seconds(12));
    AnswerDead();
  }
  EXPECT_EQ(StateOf("own"), RegistrationState::kPending);
}

// What answers at the old place says nothing of the new one.
TEST_F(LivenessTest, ANewIncarnationIsProbedBeforeItIsListed) {
  RegisteredOnceProbed(Command("a", kProbed));
  AwaitProbe();
  RegisterCommand moved = Command("a", kProbed);
  moved.server.cluster_base_url = "http://moved.test/x";
  const int before = registry_.register_calls;
  Registered(moved);
  AnswerAlive();
  EXPECT_EQ(registry_.register_calls, before);
  ASSERT_EQ(Requests(), 1u);
  EXPECT_EQ(Sent(), "GET http://moved.test/x");
  AnswerAlive();
  EXPECT_EQ(StateOf("a"), RegistrationState::kRegistered);
  EXPECT_EQ(Member("a")->cluster_base_url, "http://moved.test/x");
}

TEST_F(LivenessTest, ANameThatIsNotFoundIsNoMissAndNoLife) {
  RegisteredOnceProbed(Command("a", kProbed));
  for (int i = 0; i < 20; ++i) {
    AwaitProbe();
    AnswerNoName();
    EXPECT_EQ(StateOf("a"), RegistrationState::kRegistered);
  }
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(StateOf("a"), RegistrationState::kRegistered);
    AwaitProbe();
    AnswerDead();
    if (i == 2) break;
    AwaitProbe();
    AnswerNoName();
  }
  EXPECT_EQ(StateOf("a"), RegistrationState::kOrphan);
}

TEST_F(LivenessTest, ARenewalGoesOnWhileTheNameIsNotFound) {
  registry_.lease = absl::Seconds(100);
  RegisteredOnceProbed(Command("a", kProbed));
  const int before = registry_.register_calls;
  for (int i = 0; i < 10; ++i) {
    AwaitProbe();
    AnswerNoName();
  }
  EXPECT_GT(registry_.register_calls, before);
}

TEST_F(LivenessTest, AnAnswerThatCantBeReadIsLife) {
  RegisteredOnceProbed(Command("a", kProbed));
  for (int i = 0; i < 5; ++i) {
    AwaitProbe();
    HttpError error{HttpError::Kind::kBadResponse, true, false, "odd"};
    error.heard = true;
    transport_.Finish(std::move(error));
    Settle();
  }
  EXPECT_EQ(StateOf("a"), RegistrationState::kRegistered);
  EXPECT_NE(Member("a"), nullptr);
}

TEST_F(LivenessTest, ASessionWithATtlIsNotProbed) {
  Registered(Command("a", absl::Hours(1)));
  Advance(absl::Seconds(50));
  EXPECT_EQ(Requests(), 0u);
}

TEST_F(LivenessTest, ARetryThatNamesATtlEndsTheProbes) {
  RegisterCommand command = Command("a", kProbed);
  command.session_id = RegisteredOnceProbed(command).session_id;
  command.ttl = absl::Hours(1);
  Registered(command);
  Advance(absl::Seconds(50));
  EXPECT_EQ(Requests(), 0u);
}

}  // namespace
}  // namespace coord
