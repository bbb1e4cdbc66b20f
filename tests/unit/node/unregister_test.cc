// The explicit end of a registration.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/error.h"
#include "tests/support/log_capture.h"
#include "tests/unit/node/node_fixture.h"

namespace coord {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class UnregisterTest : public NodeFixture {};

TEST_F(UnregisterTest, RemovesTellsTheOthersAndCounts) {
  AddStranger("peer");
  const std::string session = Registered(Command("a")).session_id;
  EXPECT_EQ(registrar_->Count(), 1u);
  transport_.Answer(200, NodeAnswer("{}", "peer"));
  auto& answer = Unregister(Ref("a"));
  EXPECT_FALSE(answer.has_value());
  EXPECT_FALSE(registry_.records["c-mTest"].contains("a"));
  ASSERT_EQ(Requests(), 1u);
  EXPECT_EQ(Sent(), "DELETE http://peer.test/x/itResources/c-mTest/servers/a");
  transport_.Answer(200, NodeAnswer("\"a\"", "peer"));
  ASSERT_TRUE(answer.has_value() && answer->ok());
  EXPECT_EQ((*answer)->server_count, 2);
  EXPECT_EQ((*answer)->server_id, "a");
  EXPECT_THAT((*answer)->errors, IsEmpty());
  EXPECT_EQ(Member("a"), nullptr);
  EXPECT_FALSE(IsHeld("a"));
  EXPECT_EQ(registrar_->Count(), 0u);
  EXPECT_THAT(Stored(), IsEmpty());
  EXPECT_THAT(registry_.forgotten, testing::ElementsAre(Key("a")));
  EXPECT_TRUE(HasReason(KeepAlive(session).status(), Reason::kLeaseExpired));
}

TEST_F(UnregisterTest, IsLoggedWithWhoAskedAndWhatCameOfIt) {
  LogCapture log;
  RegistrationRef ref = Ref("a", Registered(Command("a")).session_id);
  ref.caller = {"ipv4:192.0.2.7:40123", "abc", "ctl"};
  Unregister(ref);
  Registered(Command("a"));
  ref.session_id.clear();
  registry_.automatic = false;
  Unregister(ref);
  registry_.AnswerUnregister(
      MakeError(Reason::kAuthorityUnavailable, "no answer"));
  Settle();
  const std::string who =
      " peer=ipv4:192.0.2.7:40123 correlation_id=abc user_agent=ctl";
  const std::string what =
      "info: unregister asked for server=mTest/a cluster_id=c-mTest by=";
  EXPECT_THAT(log.Lines("unregister asked"),
              ElementsAre(what + "\"its session\"" + who, what + "hand" + who));
  EXPECT_THAT(
      log.Lines("registration ended"),
      ElementsAre("info: registration ended server=mTest/a cause=unregistered "
                  "record=removed",
                  "info: registration ended server=mTest/a cause=unregistered "
                  "record=unknown error=\"no answer\""));
  EXPECT_EQ(observer_.evicted, 0);
}

TEST_F(UnregisterTest, StopsEveryTimerFirst) {
  RegisteredOnceProbed(Command("a", std::nullopt));
  registry_.automatic = false;
  Unregister(Ref("a"));
  EXPECT_EQ(StateOf("a"), RegistrationState::kUnregistering);
  EXPECT_EQ(loop_.timers(), 0u);
}

TEST_F(UnregisterTest, CollectsErrors) {
  AddStranger("peer");
  Registered(Command("a"));
  transport_.Answer(200, NodeAnswer("{}", "peer"));
  registry_.automatic = false;
  auto& answer = Unregister(Ref("a"));
  registry_.AnswerUnregister(
      MakeError(Reason::kAuthorityUnavailable, "unregister: no answer"));
  Settle();
  transport_.Answer(404, "{}");
  ASSERT_TRUE(answer.has_value() && answer->ok());
  ASSERT_THAT((*answer)->errors, SizeIs(2));
  EXPECT_EQ((*answer)->errors[0].server_id, "");
  EXPECT_EQ((*answer)->errors[0].message, "unregister: no answer");
  EXPECT_EQ((*answer)->errors[1].server_id, "peer");
  EXPECT_EQ((*answer)->errors[1].message, "answered 404");
  EXPECT_FALSE(IsHeld("a"));
}

TEST_F(UnregisterTest, WaitsForTheAttemptInFlight) {
  registry_.automatic = false;
  Registered(Command("a"));
  auto& answer = Unregister(Ref("a"));
  EXPECT_THAT(registry_.unregisters, IsEmpty());
  registry_.AnswerRegister();
  Settle();
  ASSERT_THAT(registry_.unregisters, SizeIs(1));
  registry_.AnswerUnregister(absl::OkStatus());
  Settle();
  ASSERT_TRUE(answer.has_value() && answer->ok());
  EXPECT_EQ((*answer)->server_count, 1);
  Advance(absl::Hours(1));
  EXPECT_EQ(registry_.register_calls, 1);
}

TEST_F(UnregisterTest, OneThatWasNeverRegisteredJustEnds) {
  registry_.automatic = false;
  Registered(Command("a"));
  registry_.FailRegister(MakeError(Reason::kAuthorityUnavailable, "down"));
  Settle();
  auto& answer = Unregister(Ref("a"));
  ASSERT_TRUE(answer.has_value() && answer->ok());
  EXPECT_EQ((*answer)->server_count, 0);
  EXPECT_THAT(registry_.unregisters, IsEmpty());
  EXPECT_THAT(Stored(), IsEmpty());
}

TEST_F(UnregisterTest, WithTheLastOneTheClusterIsNoLongerFollowed) {
  AddStranger("peer", false);
  Registered(Command("a"));
  Registered(Command("b"));
  Unregister(Ref("a"));
  EXPECT_NE(Member("peer"), nullptr);
  Unregister(Ref("b"));
  EXPECT_EQ(Member("peer"), nullptr);
}

TEST_F(UnregisterTest, AnAuthorityThatPushesGoesOnTellingUs) {
  registry_.pushes_changes = true;
  Registered(Command("a"));
  membership_->Apply(
      {"c-mTest", "mTest", ""},
      {ChangeType::kJoined, std::make_shared<Server>(ServerOf("peer"))},
      loop_.WallTime());
  Unregister(Ref("a"));
  EXPECT_NE(Member("peer"), nullptr);
}

TEST_F(UnregisterTest, NeedsTheCurrentSession) {
  const std::string first = Registered(Command("a")).session_id;
  Registered(Command("a"));
  EXPECT_TRUE(HasReason(Unregister(Ref("a", first))->status(),
                        Reason::kSessionSuperseded));
  EXPECT_TRUE(
      HasReason(Unregister(Ref("b"))->status(), Reason::kServerNotFound));
  EXPECT_TRUE(IsHeld("a"));
}

TEST_F(UnregisterTest, AWaitingRegisterIsToldThatItsSessionEnded) {
  registry_.automatic = false;
  std::optional<absl::StatusOr<RegistrationView>> registered;
  RegisterCommand command = Command("a");
  command.wait = absl::Seconds(50);
  registrar_->Register(command, [&](auto a) { registered = std::move(a); });
  Settle();
  Unregister(Ref("a"));
  ASSERT_TRUE(registered.has_value());
  EXPECT_TRUE(HasReason(registered->status(), Reason::kLeaseExpired));
}

TEST_F(UnregisterTest, ANewIncarnationMeanwhileIsRegistered) {
  Registered(Command("a"));
  registry_.automatic = false;
  auto& answer = Unregister(Ref("a"));
  Registered(Command("a"));
  ASSERT_TRUE(answer.has_value() && answer->ok());
  EXPECT_THAT((*answer)->errors, SizeIs(1));
  registry_.AnswerUnregister(absl::OkStatus());
  Settle();
  registry_.AnswerRegister();
  Settle();
  EXPECT_EQ(StateOf("a"), RegistrationState::kRegistered);
}

// --- the process ends --------------------------------------------------------

class StoppedUnregisterTest : public UnregisterTest {
 protected:
  void Stop(bool unregister) {
    registrar_->Stop(unregister, absl::Seconds(5), [] {});
    Settle();
  }
  void Interrupt() {
    registry_.AnswerUnregister(MakeError(Reason::kDraining, "interrupted"));
    Settle();
  }
};

TEST_F(StoppedUnregisterTest, OneUnderWayStillEnds) {
  Registered(Command("a"));
  registry_.automatic = false;
  auto& answer = Unregister(Ref("a"));
  Stop(false);
  EXPECT_FALSE(answer.has_value());
  registry_.AnswerUnregister(absl::OkStatus());
  Settle();
  ASSERT_TRUE(answer.has_value() && answer->ok());
  EXPECT_THAT((*answer)->errors, IsEmpty());
  EXPECT_THAT(Stored(), IsEmpty());
}

TEST_F(StoppedUnregisterTest, OneThatComesLateStillEnds) {
  Registered(Command("a"));
  Stop(false);
  auto& answer = Unregister(Ref("a"));
  ASSERT_TRUE(answer.has_value() && answer->ok());
  EXPECT_FALSE(registry_.records["c-mTest"].contains("a"));
}

// The next life still knows of it.
TEST_F(StoppedUnregisterTest, OneThatIsInterruptedSaysSoAndStaysInTheStore) {
  Registered(Command("a"));
  registry_.automatic = false;
  for (const bool unregister : {false, true}) {
    auto& answer = Unregister(Ref("a"));
    Stop(unregister);
    Interrupt();
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->status(), MakeError(Reason::kDraining, "interrupted"));
    EXPECT_THAT(Stored(), SizeIs(1));
  }
}

TEST_F(StoppedUnregisterTest, OneBehindAnAttemptIsInterruptedWithIt) {
  registry_.automatic = false;
  Registered(Command("a"));
  auto& answer = Unregister(Ref("a"));
  Stop(false);
  registry_.FailRegister(MakeError(Reason::kDraining, "interrupted"));
  Settle();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status(),
            MakeError(Reason::kDraining, "unregister mTest/a: interrupted"));
  EXPECT_THAT(registry_.unregisters, IsEmpty());
}

TEST_F(StoppedUnregisterTest, OneThatWaitsForAPeerNamesIt) {
  AddStranger("peer");
  Registered(Command("a"));
  auto& answer = Unregister(Ref("a"));
  EXPECT_FALSE(answer.has_value());
  peers_->Stop();
  Settle();
  ASSERT_TRUE(answer.has_value() && answer->ok());
  ASSERT_THAT((*answer)->errors, SizeIs(1));
  EXPECT_EQ((*answer)->errors[0].server_id, "peer");
  EXPECT_EQ((*answer)->errors[0].message,
            "this clusterd is shutting down and no longer tells it");
}

TEST_F(StoppedUnregisterTest, ARegistrationThatWaitsAndIsNotKeptIsRefused) {
  registry_.automatic = false;
  std::optional<absl::StatusOr<RegistrationView>> registered;
  RegisterCommand command = Command("a");
  command.wait = absl::Seconds(50);
  registrar_->Register(command, [&](auto a) { registered = std::move(a); });
  Settle();
  Stop(true);
  ASSERT_TRUE(registered.has_value());
  EXPECT_EQ(registered->status(),
            MakeError(Reason::kDraining,
                      "register mTest/a: this clusterd is shutting down"));
}

}  // namespace
}  // namespace coord
