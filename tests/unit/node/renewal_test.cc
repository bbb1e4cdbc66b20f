// Attempts, renewals, leases and announcements.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/error.h"
#include "tests/unit/node/node_fixture.h"

namespace coord {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

const absl::Status kDown =
    MakeError(Reason::kAuthorityUnavailable, "register: no answer");

class RenewalTest : public NodeFixture {};

TEST_F(RenewalTest, AFailedAttemptIsRepeatedAtTheRetryInterval) {
  registry_.automatic = false;
  Registered(Command("a"));
  for (int i = 2; i < 5; ++i) {
    registry_.FailRegister(kDown);
    Settle();
    EXPECT_EQ(Get("a")->message, "register: no answer");
    Advance(absl::Seconds(2.69));
    EXPECT_EQ(registry_.register_calls, i - 1);
    Advance(absl::Seconds(0.62));
    EXPECT_EQ(registry_.register_calls, i);
  }
  EXPECT_EQ(StateOf("a"), RegistrationState::kPending);
}

TEST_F(RenewalTest, RenewsAtFourFifthsOfTheLease) {
  AddStranger("plain", false);  // or a second look would come first
  registry_.lease = absl::Seconds(100);
  Registered(Command("a"));
  Advance(absl::Seconds(71.9));
  EXPECT_EQ(registry_.register_calls, 1);
  Advance(absl::Seconds(16.2));
  EXPECT_EQ(registry_.register_calls, 2);
}

TEST_F(RenewalTest, RenewsAtLeastEveryTenMinutes) {
  registry_.lease = absl::Hours(2);
  Registered(Command("a"));
  Advance(absl::Minutes(5));  // the second look of a lone server is over
  const int before = registry_.register_calls;
  Advance(absl::Minutes(10));
  EXPECT_GT(registry_.register_calls, before);
}

TEST_F(RenewalTest, AMissingLeaseIsTwoHours) {
  registry_.lease = absl::ZeroDuration();
  Registered(Command("a"));
  EXPECT_EQ(Get("a")->lease, absl::Hours(2));
}

TEST_F(RenewalTest, ASubSecondLeaseIsASecond) {
  registry_.lease = absl::Milliseconds(3);
  Registered(Command("a"));
  EXPECT_EQ(Get("a")->lease, absl::Seconds(1));
  Advance(absl::Seconds(0.7));
  EXPECT_EQ(registry_.register_calls, 1);
}

TEST_F(RenewalTest, AFailedRenewalStaysRegisteredUntilTheLeaseRanOut) {
  registry_.lease = absl::Seconds(100);
  Registered(Command("a"));
  registry_.automatic = false;
  Advance(absl::Seconds(90));
  registry_.FailRegister(kDown);
  Settle();
  EXPECT_EQ(StateOf("a"), RegistrationState::kRegistered);
  EXPECT_EQ(Get("a")->message, "register: no answer");
  Advance(absl::Seconds(9.9));
  EXPECT_EQ(StateOf("a"), RegistrationState::kRegistered);
  Advance(absl::Seconds(0.1));
  EXPECT_EQ(StateOf("a"), RegistrationState::kOrphan);
  EXPECT_EQ(Get("a")->StatusText(), "orphan: register: no answer");
}

TEST_F(RenewalTest, AnOrphanGoesOnTryingAndAnnouncesItsReturn) {
  AddStranger("peer");
  registry_.lease = absl::Seconds(100);
  Registered(Command("a"));
  AnswerAlive();
  registry_.automatic = false;
  Advance(absl::Seconds(110));
  EXPECT_EQ(StateOf("a"), RegistrationState::kOrphan);
  registry_.AnswerRegister();
  Settle();
  EXPECT_EQ(StateOf("a"), RegistrationState::kRegistered);
  EXPECT_EQ(Get("a")->message, "");
  ASSERT_EQ(Requests(), 1u);
  EXPECT_EQ(Sent(), "POST http://peer.test/x/itResources");
}

TEST_F(RenewalTest, TheJoinGoesToAllOthersAndItsCountsStay) {
  AddStranger("good");
  AddStranger("bad");
  AddStranger("plain", false);
  Registered(Command("a"));
  ASSERT_EQ(Requests(), 2u);
  EXPECT_EQ(Sent(0), "POST http://bad.test/x/itResources");
  transport_.Answer(404, "{}");
  transport_.Answer(200, NodeAnswer("{}", "good"));
  const AnnouncementResult announcement = Get("a")->announcement;
  EXPECT_EQ(announcement.expected, 2);
  EXPECT_EQ(announcement.answered, 1);
  ASSERT_THAT(announcement.failed, SizeIs(1));
  EXPECT_EQ(announcement.failed[0].server_id, "bad");
}

TEST_F(RenewalTest, OfManyFailedAnnouncementsTheFirstAreKept) {
  for (int i = 0; i < 12; ++i) AddStranger("peer-" + std::to_string(i));
  Registered(Command("a"));
  for (int i = 0; i < 12; ++i) transport_.Answer(404, "{}");
  Settle();
  const AnnouncementResult announcement = Get("a")->announcement;
  EXPECT_EQ(announcement.expected, 12);
  EXPECT_EQ(announcement.answered, 0);
  EXPECT_THAT(announcement.failed, SizeIs(10));
}

TEST_F(RenewalTest, AMereRenewalAnnouncesNothing) {
  AddStranger("peer");
  registry_.lease = absl::Seconds(100);
  Registered(Command("a"));
  transport_.Answer(200, NodeAnswer("{}", "peer"));
  Advance(absl::Seconds(90));
  EXPECT_EQ(registry_.register_calls, 2);
  EXPECT_EQ(Requests(), 0u);
}

TEST_F(RenewalTest, TakesTheListOfTheAuthority) {
  AddStranger("peer");
  Registered(Command("a"));
  EXPECT_NE(Member("peer"), nullptr);
  EXPECT_EQ(Get("a")->server_count, 2);
}

TEST_F(RenewalTest, ALoneServerTakesASecondLook) {
  Registered(Command("a"));
  Advance(absl::Seconds(59.9));
  EXPECT_EQ(registry_.register_calls, 1);
  AddStranger("peer");
  Advance(absl::Seconds(10.2));
  EXPECT_EQ(registry_.register_calls, 2);
  ASSERT_EQ(Requests(), 1u);
  EXPECT_EQ(Sent(), "POST http://peer.test/x/itResources");
}

TEST_F(RenewalTest, ASecondLookIsForLoneServersOnly) {
  AddStranger("peer");
  Registered(Command("a"));
  AnswerAlive();
  Advance(absl::Seconds(80));
  EXPECT_EQ(registry_.register_calls, 1);
}

TEST_F(RenewalTest, WithoutManagementThereAreNoAnnouncements) {
  RegistrarOptions options;
  options.management = false;
  Restart(options);
  AddStranger("peer");
  registry_.automatic = false;
  Registered(Command("a"));
  EXPECT_FALSE(registry_.registers.at(0).request.managed);
  registry_.AnswerRegister();
  Settle();
  Advance(absl::Seconds(80));
  EXPECT_EQ(StateOf("a"), RegistrationState::kRegistered);
  EXPECT_THAT(transport_.requests, IsEmpty());
  EXPECT_EQ(registry_.register_calls, 1);
}

TEST_F(RenewalTest, RefreshRenewsOneRegistration) {
  Registered(Command("a"));
  Registered(Command("b"));
  const int before = registry_.register_calls;
  registry_.automatic = false;
  int answers = 0;
  for (int i = 0; i < 3; ++i) {
    registrar_->Refresh("c-mTest", [&](absl::Status status) {
      EXPECT_TRUE(status.ok());
      ++answers;
    });
  }
  EXPECT_EQ(registry_.register_calls, before + 1);
  AddStranger("peer");
  registry_.AnswerRegister();
  Settle();
  EXPECT_EQ(answers, 3);
  EXPECT_NE(Member("peer"), nullptr);
}

TEST_F(RenewalTest, RefreshPassesTheErrorOn) {
  Registered(Command("a"));
  registry_.automatic = false;
  absl::Status answer;
  registrar_->Refresh("c-mTest", [&](absl::Status s) { answer = s; });
  registry_.FailRegister(kDown);
  Settle();
  EXPECT_TRUE(HasReason(answer, Reason::kAuthorityUnavailable));
}

TEST_F(RenewalTest, RefreshNeedsARegistrationUnlessChangesArePushed) {
  absl::Status answer;
  registrar_->Refresh("c-mTest", [&](absl::Status s) { answer = s; });
  EXPECT_TRUE(answer.ok());  // never inside the call
  Settle();
  EXPECT_TRUE(HasReason(answer, Reason::kNotRegistered));

  registry_.pushes_changes = true;
  registrar_->Refresh("c-mTest", [&](absl::Status s) { answer = s; });
  Settle();
  EXPECT_TRUE(answer.ok());
}

TEST_F(RenewalTest, AnnouncementsRefreshAtMostOnceInThirtySeconds) {
  Registered(Command("a"));
  const int before = registry_.register_calls;
  for (int i = 0; i < 3; ++i) {
    registrar_->RefreshSoon("c-mTest");
    Settle();
  }
  EXPECT_EQ(registry_.register_calls, before + 1);
  Advance(absl::Seconds(30));
  EXPECT_EQ(registry_.register_calls, before + 2);
  Advance(absl::Seconds(29));
  EXPECT_EQ(registry_.register_calls, before + 2);
}

TEST_F(RenewalTest, ALateAnswerToAnEndedRegistrationDoesNothing) {
  registry_.automatic = false;
  Registered(Command("a"));
  Restart();
  registry_.AnswerRegister();
  Settle();
  EXPECT_EQ(Member("a"), nullptr);
  EXPECT_FALSE(IsHeld("a"));
}

}  // namespace
}  // namespace coord
