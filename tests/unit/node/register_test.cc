// Registering: what is accepted, sessions, and when callers get their answer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "common/error.h"
#include "common/ids.h"
#include "tests/support/log_capture.h"
#include "tests/unit/node/node_fixture.h"

namespace coord {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class RegisterTest : public NodeFixture {
 protected:
  // The fields that a refusal names.
  std::vector<std::string> Violations(RegisterCommand command) {
    const absl::Status status = Register(std::move(command)).status();
    std::vector<std::string> fields;
    for (const FieldViolation& v : DetailOf(status).violations) {
      fields.push_back(v.field);
    }
    return fields;
  }
};

TEST_F(RegisterTest, TheFirstAttemptGoesAtOnce) {
  registry_.automatic = false;
  const RegistrationView view = Registered(Command("a"));
  EXPECT_EQ(registry_.register_calls, 1);
  EXPECT_EQ(view.state, RegistrationState::kPending);
  EXPECT_EQ(view.server.server_id, "a");
  EXPECT_FALSE(view.session_id.empty());
}

TEST_F(RegisterTest, AnAcknowledgedRegistrationIsRegistered) {
  Registered(Command("a"));
  const RegistrationView view = *Get("a");
  EXPECT_EQ(view.state, RegistrationState::kRegistered);
  EXPECT_EQ(view.StatusText(), "registered");
  EXPECT_EQ(view.cluster_id, "c-mTest");
  EXPECT_EQ(view.server.version.text, "v1");
  EXPECT_EQ(view.server_count, 1);
  EXPECT_EQ(view.lease, absl::Hours(1));
  EXPECT_EQ(view.register_time, loop_.WallTime());
  EXPECT_GT(view.next_renewal_time, loop_.WallTime());
}

TEST_F(RegisterTest, AnEmptyIdGetsAUuid) {
  const RegistrationView view = Registered(Command(""));
  EXPECT_THAT(view.server.server_id, SizeIs(36));
  EXPECT_TRUE(IsValidServerId(view.server.server_id));
}

TEST_F(RegisterTest, NamesEveryFieldThatIsWrong) {
  RegisterCommand command = Command("..");
  command.server.type = "1";
  command.server.cluster_base_url = "ftp://x";
  command.server.public_base_url = std::string(2049, 'x');
  command.server.location_json = '"' + std::string(4096, 'x') + '"';
  command.ttl = absl::Milliseconds(999);
  EXPECT_THAT(Violations(command),
              ::testing::ElementsAre(
                  "server.type", "server.server_id", "server.cluster_base_url",
                  "server.public_base_url", "server.location", "ttl"));
  EXPECT_EQ(registry_.register_calls, 0);
}

TEST_F(RegisterTest, TtlIsRefusedOutOfRangeAndNeverClamped) {
  EXPECT_THAT(Violations(Command("a", absl::ZeroDuration())), SizeIs(1));
  EXPECT_THAT(Violations(Command("a", absl::Hours(24) + absl::Nanoseconds(1))),
              SizeIs(1));
  EXPECT_THAT(Violations(Command("a", absl::Seconds(1))), IsEmpty());
  EXPECT_THAT(Violations(Command("b", absl::Hours(24))), IsEmpty());
}

TEST_F(RegisterTest, AnswersOnceTheStoreHasAcknowledged) {
  registry_.automatic = false;
  const RegistrationView view = Registered(Command("a", absl::Seconds(30)));
  const std::vector<StoredRegistration> stored = Stored();
  ASSERT_EQ(stored.size(), 1u);
  EXPECT_EQ(stored[0].session_id, view.session_id);
  EXPECT_EQ(stored[0].ttl, absl::Seconds(30));
  EXPECT_EQ(stored[0].cluster_id, "");
}

TEST_F(RegisterTest, NotesTheClusterOnceItIsKnown) {
  Registered(Command("a"));
  EXPECT_EQ(Stored().at(0).cluster_id, "c-mTest");
  EXPECT_EQ(Stored().at(0).register_time, loop_.WallTime());
}

TEST_F(RegisterTest, WithWaitAnswersOnceTheAuthorityHas) {
  registry_.automatic = false;
  std::optional<absl::StatusOr<RegistrationView>> answer;
  RegisterCommand command = Command("a");
  command.wait = absl::Seconds(5);
  registrar_->Register(command, [&](auto a) { answer = std::move(a); });
  Settle();
  EXPECT_FALSE(answer.has_value());
  registry_.AnswerRegister();
  Settle();
  ASSERT_TRUE(answer.has_value() && answer->ok());
  EXPECT_EQ((*answer)->state, RegistrationState::kRegistered);
}

TEST_F(RegisterTest, WithWaitAnswersPendingWhenTheTimeIsOver) {
  registry_.automatic = false;
  std::optional<absl::StatusOr<RegistrationView>> answer;
  RegisterCommand command = Command("a");
  command.wait = absl::Seconds(5);
  registrar_->Register(command, [&](auto a) { answer = std::move(a); });
  Settle();
  Advance(absl::Seconds(5));
  ASSERT_TRUE(answer.has_value() && answer->ok());
  EXPECT_EQ((*answer)->state, RegistrationState::kPending);
}

TEST_F(RegisterTest, WithoutASessionItIsANewIncarnationAndTheNewestWins) {
  const RegistrationView first = Registered(Command("a"));
  RegisterCommand command = Command("a");
  command.server.cluster_base_url = "http://elsewhere.test";
  const RegistrationView second = Registered(command);
  EXPECT_NE(first.session_id, second.session_id);
  EXPECT_EQ(Member("a")->cluster_base_url, "http://elsewhere.test");
  EXPECT_TRUE(HasReason(KeepAlive(first.session_id).status(),
                        Reason::kSessionSuperseded));
  EXPECT_TRUE(KeepAlive(second.session_id).ok());
  EXPECT_EQ(Stored().at(0).session_id, second.session_id);
}

TEST_F(RegisterTest, ASupersededSessionMayNotRegisterAgain) {
  const RegistrationView first = Registered(Command("a"));
  Registered(Command("a"));
  RegisterCommand retry = Command("a");
  retry.session_id = first.session_id;
  EXPECT_TRUE(HasReason(Register(retry).status(), Reason::kSessionSuperseded));
}

TEST_F(RegisterTest, AWaitingCallIsToldThatItsSessionWasReplaced) {
  registry_.automatic = false;
  std::optional<absl::StatusOr<RegistrationView>> answer;
  RegisterCommand command = Command("a");
  command.wait = absl::Seconds(50);
  registrar_->Register(command, [&](auto a) { answer = std::move(a); });
  Settle();
  Registered(Command("a"));
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(HasReason(answer->status(), Reason::kSessionSuperseded));
}

TEST_F(RegisterTest, ARetryKeepsItsSession) {
  const RegistrationView first = Registered(Command("a"));
  RegisterCommand retry = Command("a");
  retry.session_id = first.session_id;
  const RegistrationView second = Registered(retry);
  EXPECT_EQ(second.session_id, first.session_id);
  EXPECT_EQ(second.state, RegistrationState::kRegistered);
  EXPECT_EQ(registry_.register_calls, 1);  // nothing has changed
}

TEST_F(RegisterTest, ARetryThatWaitsIsAnsweredWhenNothingIsLeftToDo) {
  RegisterCommand retry = Command("a");
  retry.session_id = Registered(retry).session_id;
  retry.wait = absl::Seconds(50);
  std::optional<absl::StatusOr<RegistrationView>> answer;
  registrar_->Register(retry, [&](auto a) { answer = std::move(a); });
  Settle();
  ASSERT_TRUE(answer.has_value());
  ASSERT_TRUE(answer->ok()) << answer->status();
  EXPECT_EQ((*answer)->state, RegistrationState::kRegistered);
}

TEST_F(RegisterTest, ACallerWhoWaitsSurvivesTheEndOfThisObject) {
  registry_.automatic = false;
  bool answered = false;
  RegisterCommand command = Command("a");
  command.wait = absl::InfiniteDuration();
  registrar_->Register(command, [&](const auto&) { answered = true; });
  Settle();
  Restart();
  registry_.AnswerRegister();
  Settle();
  EXPECT_FALSE(answered);
}

TEST_F(RegisterTest, ARetryWithoutAnIdMeansTheServerOfItsSession) {
  const RegistrationView first = Registered(Command(""));
  RegisterCommand retry = Command("");
  retry.session_id = first.session_id;
  EXPECT_EQ(Registered(retry).server.server_id, first.server.server_id);
}

TEST_F(RegisterTest, ARetryMayChangeServerAndTtl) {
  RegisterCommand command = Command("a", absl::Hours(1));
  command.session_id = Registered(command).session_id;
  command.server.cluster_base_url = "http://elsewhere.test";
  command.ttl = absl::Seconds(30);
  Registered(command);
  EXPECT_EQ(Member("a")->cluster_base_url, "http://elsewhere.test");
  EXPECT_EQ(Get("a")->ttl, absl::Seconds(30));
  EXPECT_EQ(KeepAlive(command.session_id)->time_left, absl::Seconds(30));
}

TEST_F(RegisterTest, ASessionBelongsToOneServer) {
  const RegistrationView first = Registered(Command("a"));
  RegisterCommand other = Command("b");
  other.session_id = first.session_id;
  const absl::Status status = Register(other).status();
  EXPECT_TRUE(HasReason(status, Reason::kInvalidField));
  EXPECT_THAT(std::string(status.message()), HasSubstr("session_id"));
}

TEST_F(RegisterTest, AnUnknownSessionIsOver) {
  RegisterCommand command = Command("a");
  command.session_id = "never";
  EXPECT_TRUE(HasReason(Register(command).status(), Reason::kLeaseExpired));
}

TEST_F(RegisterTest, TwoAttemptsAreNeverInFlight) {
  registry_.automatic = false;
  Registered(Command("a"));
  RegisterCommand changed = Command("a");
  changed.server.cluster_base_url = "http://elsewhere.test";
  Registered(changed);
  EXPECT_THAT(registry_.registers, SizeIs(1));
  registry_.AnswerRegister();
  Settle();
  EXPECT_EQ(StateOf("a"), RegistrationState::kPending);
  ASSERT_THAT(registry_.registers, SizeIs(1));
  EXPECT_EQ(registry_.registers[0].request.server.cluster_base_url,
            "http://elsewhere.test");
  registry_.AnswerRegister();
  Settle();
  EXPECT_EQ(StateOf("a"), RegistrationState::kRegistered);
}

TEST_F(RegisterTest, WhatTheStoreRefusesIsNotKept) {
  DatabaseOptions full;
  full.max_queue = 0;
  database_ = *Database::Open(full);
  RegistrationStore broken(*database_);
  registrar_ = std::make_unique<Registrar>(loop_, registry_, broken,
                                           *membership_, *peers_, *doubt_,
                                           observer_, RegistrarOptions{});
  EXPECT_TRUE(
      HasReason(Register(Command("a")).status(), Reason::kStoreUnavailable));
  Settle();
  EXPECT_FALSE(IsHeld("a"));
  EXPECT_THAT(registry_.records["c-mTest"], IsEmpty());
  ASSERT_THAT(registry_.seen_evidence, SizeIs(1));
  EXPECT_EQ(registry_.seen_evidence[0].seen.text, "v1");
}

TEST_F(RegisterTest, HoldsOnlySoManyRegistrations) {
  RegistrarOptions options;
  options.max_registrations = 1;
  Restart(options);
  Registered(Command("a"));
  EXPECT_TRUE(HasReason(Register(Command("b")).status(),
                        Reason::kTooManyRegistrations));
  Registered(Command("a"));
}

TEST_F(RegisterTest, PassesTheCorrelationIdOn) {
  registry_.automatic = false;
  RegisterCommand command = Command("a");
  command.correlation_id = "abc@4/D";
  Registered(command);
  EXPECT_EQ(registry_.registers.at(0).request.correlation_id, "abc@4/D");
}

TEST_F(RegisterTest, ListsByTypeAndIdWithoutSessions) {
  Registered(Command("b"));
  Registered(Command("a"));
  RegisterCommand other = Command("c");
  other.server.type = "another";
  Registered(other);
  std::vector<RegistrationView> all, some;
  registrar_->List({}, [&](auto list) { all = list->views; });
  registrar_->List({"mTest"}, [&](auto list) { some = list->views; });
  loop_.RunPosted();
  ASSERT_THAT(all, SizeIs(3));
  EXPECT_EQ(all[0].server.server_id, "c");
  EXPECT_EQ(all[1].server.server_id, "a");
  EXPECT_EQ(all[2].server.server_id, "b");
  EXPECT_EQ(all[0].session_id, "");
  EXPECT_THAT(some, SizeIs(2));
}

TEST_F(RegisterTest, AListIsReadByRange) {
  for (const char* id : {"a", "b", "c"}) Registered(Command(id));
  RegistrationSlice first, rest, none;
  registrar_->List({"mTest", {}, 2},
                   [&](auto slice) { first = *std::move(slice); });
  registrar_->List({"", {"mTest", "b", ""}, 2},
                   [&](auto slice) { rest = *std::move(slice); });
  registrar_->List({"mTest", {"mTest", "c", ""}},
                   [&](auto slice) { none = *std::move(slice); });
  loop_.RunPosted();
  ASSERT_THAT(first.views, SizeIs(2));
  EXPECT_EQ(first.views[1].server.server_id, "b");
  EXPECT_TRUE(first.more);
  ASSERT_THAT(rest.views, SizeIs(1));
  EXPECT_EQ(rest.views[0].server.server_id, "c");
  EXPECT_FALSE(rest.more);
  EXPECT_THAT(none.views, SizeIs(0));
}

TEST_F(RegisterTest, GetFindsByClusterAndTellsSeveralApart) {
  RegisterCommand x = Command("a");
  x.server.public_base_url = "https://x.test";
  RegisterCommand y = Command("a");
  y.server.public_base_url = "https://y.test";
  Registered(x);
  Registered(y);
  EXPECT_TRUE(HasReason(Get("a").status(), Reason::kClusterAmbiguous));
  EXPECT_TRUE(HasReason(Get("b").status(), Reason::kServerNotFound));
}

TEST_F(RegisterTest, DrainingIsStoredRegisteredAndSeen) {
  Registered(Command("a"));
  std::optional<absl::StatusOr<RegistrationView>> answer;
  registrar_->SetDraining(Ref("a"), true,
                          [&](auto a) { answer = std::move(a); });
  Settle();
  ASSERT_TRUE(answer.has_value() && answer->ok());
  EXPECT_EQ((*answer)->server.state, ServerState::kDraining);
  EXPECT_EQ(registry_.records["c-mTest"]["a"].state, ServerState::kDraining);
  EXPECT_EQ(Member("a")->state, ServerState::kDraining);
  EXPECT_EQ(Stored().at(0).server.state, ServerState::kDraining);
  registrar_->SetDraining(Ref("a"), false, [](auto) {});
  Settle();
  EXPECT_EQ(Member("a")->state, ServerState::kActive);
}

TEST_F(RegisterTest, DrainAndUndrainAreLoggedWithWhoAsked) {
  Registered(Command("a"));
  LogCapture log;
  RegistrationRef ref = Ref("a");
  ref.caller = {"ipv4:192.0.2.7:40123", "abc", "ctl"};
  for (const bool draining : {true, true, false}) {
    registrar_->SetDraining(ref, draining, [](auto) {});
  }
  Settle();
  const std::string who =
      " peer=ipv4:192.0.2.7:40123 correlation_id=abc user_agent=ctl";
  const std::string what = " asked for server=mTest/a cluster_id=c-mTest";
  EXPECT_THAT(log.Lines("drain"),
              ElementsAre("info: drain" + what + " changed=yes" + who,
                          "info: drain" + what + " changed=no" + who));
  EXPECT_THAT(log.Lines("undrain"),
              ElementsAre("info: undrain" + what + " changed=yes" + who));
}

TEST_F(RegisterTest, OneThatIsSupersededBeforeItIsStoredIsToldSo) {
  std::vector<absl::StatusOr<RegistrationView>> answers;
  for (int i = 0; i < 2; ++i) {
    registrar_->Register(Command("a"),
                         [&](auto a) { answers.push_back(std::move(a)); });
  }
  Settle();
  ASSERT_THAT(answers, SizeIs(2));
  EXPECT_TRUE(HasReason(answers[0].status(), Reason::kSessionSuperseded));
  EXPECT_EQ(answers[0].status().message(),
            "register: a newer incarnation came meanwhile");
  EXPECT_TRUE(answers[1].ok());
}

TEST_F(RegisterTest, ARetryLeavesADrainAlone) {
  RegisterCommand command = Command("a");
  command.session_id = Registered(command).session_id;
  registrar_->SetDraining(Ref("a"), true, [](auto) {});
  Settle();
  EXPECT_EQ(Registered(command).server.state, ServerState::kDraining);
}

TEST_F(RegisterTest, DrainNeedsTheCurrentSession) {
  const RegistrationView first = Registered(Command("a"));
  Registered(Command("a"));
  std::optional<absl::StatusOr<RegistrationView>> answer;
  registrar_->SetDraining(Ref("a", first.session_id), true,
                          [&](auto a) { answer = std::move(a); });
  loop_.RunPosted();
  EXPECT_TRUE(HasReason(answer->status(), Reason::kSessionSuperseded));
  EXPECT_EQ(answer->status().message(),
            "use a session of mTest/a: another one is the current");
}

TEST_F(RegisterTest, ASessionOfAnotherServerIsCalledThat) {
  Registered(Command("a"));
  const RegistrationView other = Registered(Command("b"));
  std::optional<absl::StatusOr<RegistrationView>> answer;
  registrar_->SetDraining(Ref("a", other.session_id), true,
                          [&](auto a) { answer = std::move(a); });
  loop_.RunPosted();
  EXPECT_TRUE(HasReason(answer->status(), Reason::kInvalidField));
  EXPECT_EQ(answer->status().message(),
            "session_id: belongs to another server");
  EXPECT_TRUE(HasReason(Unregister(Ref("a", other.session_id))->status(),
                        Reason::kInvalidField));
}

}  // namespace
}  // namespace coord
