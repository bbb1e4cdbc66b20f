// clusterd is stopped while somebody waits for its authority, which stays
// silent. Everybody is answered, and Stop returns.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/integration/stop_fixture.h"

namespace coord {
namespace {

class StopUnderMitTest : public StopTest {
 protected:
  StopUnderMitTest() : StopTest(Authority::kMit) {}
};

class StopWithTokensTest : public StopTest {
 protected:
  StopWithTokensTest() : StopTest(Authority::kMitWithTokens) {}
};

INSTANTIATE_TEST_SUITE_P(, StopUnderMitTest, testing::Bool(), ParamName);
INSTANTIATE_TEST_SUITE_P(, StopWithTokensTest, testing::Bool(), ParamName);

// One that is kept is PENDING, and the next life goes on with it.
void ExpectRegisterEnded(const absl::StatusOr<pb::Registration>& answer,
                         bool kept) {
  if (kept) {
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->state(), pb::REGISTRATION_STATE_PENDING);
    EXPECT_EQ(answer->message(),
              "this clusterd is shutting down, and the authority has not "
              "answered yet");
  } else {
    EXPECT_THAT(answer.status(),
                IsDraining("register mTest/a: this clusterd is shutting down"));
  }
}

TEST_P(StopUnderMitTest, ARegistrationThatWaitsForTheAuthority) {
  authority.FallSilent();
  auto answer =
      Later([&] { return Register(Registration("a", kNowhere, false)); });
  authority.WaitForUnanswered(1);
  EXPECT_TRUE(server_->Stop().ok());
  ExpectRegisterEnded(answer.get(), Lasting());
}

TEST_P(StopUnderMitTest, AnUnregistrationThatWaitsForTheAuthority) {
  ASSERT_TRUE(Register(Registration("a", kNowhere, false)).ok());
  authority.FallSilent();
  auto answer = Later([&] { return Unregister("a").status(); });
  authority.WaitForUnanswered(1);
  EXPECT_TRUE(server_->Stop().ok());
  EXPECT_THAT(answer.get(),
              IsDraining("unregister mTest/a: this clusterd stopped before the "
                         "authority had answered; the DELETE was sent"));
}

TEST_P(StopUnderMitTest, AnUnregistrationBehindARegistration) {
  authority.FallSilent();
  pb::RegisterServerRequest request = Registration("a", kNowhere, false);
  request.set_wait(false);
  ASSERT_TRUE(Register(request).ok());
  authority.WaitForUnanswered(1);
  auto answer = Later([&] { return Unregister("a").status(); });
  while (StateOf("a") != pb::REGISTRATION_STATE_UNREGISTERING) {
  }
  EXPECT_TRUE(server_->Stop().ok());
  EXPECT_THAT(answer.get(),
              IsDraining("unregister mTest/a: register mTest/a: this clusterd "
                         "stopped before the authority had answered; the POST "
                         "was sent"));
}

// The record is gone; who was not told is named.
TEST_P(StopUnderMitTest, AnUnregistrationThatWaitsForAPeer) {
  RawServer peer(SilentScript());
  authority.List("peer", absl::StrCat("http://127.0.0.1:", peer.port()));
  ASSERT_TRUE(Register(Registration("a", kNowhere, false)).ok());
  asked_.WaitForNotification();
  auto answer = Later([&] { return Unregister("a"); });
  while (StateOf("a") != pb::REGISTRATION_STATE_UNSPECIFIED) {
  }
  EXPECT_TRUE(server_->Stop().ok());
  const auto unregistered = answer.get();
  ASSERT_TRUE(unregistered.ok()) << unregistered.status();
  ASSERT_EQ(unregistered->errors_size(), 1);
  EXPECT_EQ(unregistered->errors(0).server_id(), "peer");
  EXPECT_EQ(unregistered->errors(0).message(),
            "this clusterd is shutting down and no longer tells it");
}

TEST_P(StopUnderMitTest, AnEvictionThatWaitsForTheAuthority) {
  authority.List("b", kNowhere);
  ASSERT_TRUE(Register(Registration("a", kNowhere, false)).ok());
  authority.FallSilent();
  auto answer = Later([&] { return Evict("b").status(); });
  authority.WaitForUnanswered(1);
  EXPECT_TRUE(server_->Stop().ok());
  EXPECT_THAT(answer.get(),
              IsDraining("remove mTest/b: this clusterd stopped before the "
                         "authority had answered; the DELETE was sent"));
}

TEST_P(StopWithTokensTest, ARegistrationThatWaitsForAToken) {
  authority.FallSilent();
  auto answer =
      Later([&] { return Register(Registration("a", kNowhere, false)); });
  authority.WaitForUnanswered(1);
  EXPECT_TRUE(server_->Stop().ok());
  ExpectRegisterEnded(answer.get(), Lasting());
}

TEST_P(StopWithTokensTest, AFanOutThatWaitsForAToken) {
  ASSERT_TRUE(Register(Registration("a", kNowhere, false)).ok());
  authority.FallSilent();
  auto answer = Later([&] { return FanOut(GetCall("/info")); });
  authority.WaitForUnanswered(1);
  EXPECT_TRUE(server_->Stop().ok());
  const auto response = answer.get();
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->verdict(), pb::VERDICT_NONE);
  ASSERT_EQ(response->failures_size(), 1);
  EXPECT_THAT(response->failures(0), IsGivenUp(pb::CERTAINTY_NOT_SENT));
}

}  // namespace
}  // namespace coord
