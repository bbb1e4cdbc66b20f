// A new life of the process takes up what the last one promised, and the end of
// a life.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "common/error.h"
#include "tests/unit/node/node_fixture.h"

namespace coord {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

class ResumeTest : public NodeFixture {
 protected:
  // Without a grace sessions live for their ttl alone.
  void RestartAndResume(absl::Duration grace = absl::ZeroDuration()) {
    Resume(grace);
    registrar_->StartResumed();
    loop_.RunPosted();
  }
  // Up to where nobody can reach it yet.
  void Resume(absl::Duration grace) {
    RegistrarOptions options;
    options.resume_grace = grace;
    Restart(options);
    registrar_->Resume(Stored());
    loop_.RunPosted();
    calls_before_ = registry_.register_calls;
  }
  bool Stop(bool unregister, absl::Duration timeout = absl::Seconds(5)) {
    registrar_->Stop(unregister, timeout, [this] { stopped_ = true; });
    Settle();
    return stopped_;
  }

  int calls_before_ = 0;
  bool stopped_ = false;
};

TEST_F(ResumeTest, NothingIsSentUntilTheCallerSpeaks) {
  const std::string session =
      Registered(Command("a", absl::Seconds(30))).session_id;
  RestartAndResume();
  Advance(absl::Seconds(20));
  EXPECT_EQ(registry_.register_calls, calls_before_);
  EXPECT_EQ(StateOf("a"), RegistrationState::kPending);
  ASSERT_TRUE(KeepAlive(session).ok());
  Settle();
  EXPECT_EQ(registry_.register_calls, calls_before_ + 1);
  EXPECT_EQ(StateOf("a"), RegistrationState::kRegistered);
}

TEST_F(ResumeTest, ARetryOfTheSessionSpeaksToo) {
  RegisterCommand command = Command("a");
  command.session_id = Registered(command).session_id;
  RestartAndResume();
  EXPECT_EQ(Registered(command).session_id, command.session_id);
  EXPECT_EQ(StateOf("a"), RegistrationState::kRegistered);
}

TEST_F(ResumeTest, EachSessionStartsWithAFullTtl) {
  const std::string session =
      Registered(Command("a", absl::Seconds(30))).session_id;
  Advance(absl::Seconds(20));
  RestartAndResume();
  Advance(absl::Seconds(29));
  EXPECT_TRUE(IsHeld("a"));
  Advance(absl::Seconds(1));
  EXPECT_FALSE(IsHeld("a"));
  EXPECT_THAT(Stored(), IsEmpty());
}

TEST_F(ResumeTest, AShortSessionGetsTheGraceOnce) {
  const std::string session =
      Registered(Command("a", absl::Seconds(10))).session_id;
  RestartAndResume(absl::Seconds(45));
  Advance(absl::Seconds(44));
  ASSERT_TRUE(KeepAlive(session).ok());
  Advance(absl::Seconds(9));
  EXPECT_TRUE(IsHeld("a"));
  Advance(absl::Seconds(1));
  EXPECT_FALSE(IsHeld("a"));
}

TEST_F(ResumeTest, TheGraceBeginsWhenCallersCanReachIt) {
  Registered(Command("a", absl::Seconds(10)));
  Resume(absl::Seconds(45));
  Advance(absl::Minutes(5));
  registrar_->StartResumed();
  loop_.RunPosted();
  Advance(absl::Seconds(44));
  EXPECT_TRUE(IsHeld("a"));
  Advance(absl::Seconds(1));
  EXPECT_FALSE(IsHeld("a"));
}

TEST_F(ResumeTest, ASessionOfThisLifeGetsNoGrace) {
  RestartAndResume(absl::Seconds(45));
  Registered(Command("a", absl::Seconds(10)));
  Advance(absl::Seconds(10));
  EXPECT_FALSE(IsHeld("a"));
}

TEST_F(ResumeTest, AProbedServiceIsProbedFirst) {
  RegisteredOnceProbed(Command("a", std::nullopt));
  RestartAndResume();
  Advance(absl::ZeroDuration());
  ASSERT_EQ(Requests(), 1u);
  EXPECT_EQ(registry_.register_calls, calls_before_);
  AnswerAlive();
  EXPECT_EQ(registry_.register_calls, calls_before_ + 1);
  EXPECT_EQ(StateOf("a"), RegistrationState::kRegistered);
}

TEST_F(ResumeTest, AProbedServiceThatDoesNotAnswerIsAnOrphan) {
  RegisteredOnceProbed(Command("a", std::nullopt));
  RestartAndResume();
  const absl::Time first = loop_.Now();
  while (StateOf("a") != RegistrationState::kOrphan) {
    AwaitRequest(absl::Seconds(12));
    AnswerDead();
  }
  EXPECT_GE(loop_.Now() - first, absl::Seconds(20));  // as three misses take
  EXPECT_EQ(Member("a"), nullptr);
  EXPECT_THAT(Stored(), SizeIs(1));
  EXPECT_EQ(registry_.register_calls, calls_before_);
  // The record was never seen in this life, so nothing fences its removal.
  EXPECT_THAT(registry_.seen_evidence, IsEmpty());
}

TEST_F(ResumeTest, TheRecordThatTheAuthorityShowsFencesTheRemoval) {
  Registered(Command("a", absl::Seconds(30)));
  RestartAndResume();
  Server record = registry_.records["c-mTest"]["a"];
  membership_->Apply({"c-mTest", "mTest", ""},
                     {ChangeType::kJoined, std::make_shared<Server>(record)},
                     loop_.WallTime());
  Advance(absl::Seconds(30));
  ASSERT_THAT(registry_.seen_evidence, SizeIs(1));
  EXPECT_EQ(registry_.seen_evidence[0].seen, record.version);
}

TEST_F(ResumeTest, TheRegistrationKeepsItsCluster) {
  Registered(Command("a"));
  RestartAndResume();
  EXPECT_EQ(Get("a")->cluster_id, "c-mTest");
  EXPECT_TRUE(registrar_->Holds(Key("a")));
}

TEST_F(ResumeTest, StopKeepsRecordsForTheNextLife) {
  Registered(Command("a", absl::Seconds(10)));
  EXPECT_TRUE(Stop(false));
  Advance(absl::Minutes(30));
  EXPECT_THAT(registry_.seen_evidence, IsEmpty());
  EXPECT_TRUE(registry_.records["c-mTest"].contains("a"));
  EXPECT_THAT(Stored(), SizeIs(1));
  EXPECT_TRUE(HasReason(Register(Command("b")).status(), Reason::kDraining));
}

TEST_F(ResumeTest, StopMayUnregisterEverything) {
  for (int i = 0; i < 300; ++i) Registered(Command("s" + std::to_string(i)));
  EXPECT_TRUE(Stop(true));
  EXPECT_THAT(registry_.records["c-mTest"], IsEmpty());
  EXPECT_THAT(Stored(), IsEmpty());
}

TEST_F(ResumeTest, StopWaitsOnlySoLongForTheAuthority) {
  Registered(Command("a"));
  registry_.automatic = false;
  EXPECT_FALSE(Stop(true));
  Advance(absl::Seconds(5));
  EXPECT_TRUE(stopped_);
  registry_.AnswerUnregister(absl::OkStatus());
  Settle();
}

TEST_F(ResumeTest, StopLetsWaitingCallersGo) {
  registry_.automatic = false;
  std::optional<absl::StatusOr<RegistrationView>> answer;
  RegisterCommand command = Command("a");
  command.wait = absl::Seconds(50);
  registrar_->Register(command, [&](auto a) { answer = std::move(a); });
  Settle();
  EXPECT_TRUE(Stop(false));
  ASSERT_TRUE(answer.has_value() && answer->ok());
  EXPECT_EQ((*answer)->state, RegistrationState::kPending);
}

}  // namespace
}  // namespace coord
