// The end of a client of mIT: whoever waits is told what is known.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.h"
#include "common/text_view.h"
#include "tests/unit/registry/mit_registry_fixture.h"

namespace coord {
namespace {

MATCHER_P(IsInterrupted, text, "") {
  *result_listener << arg;
  return HasReason(arg, Reason::kDraining) && StdView(arg.message()) == text;
}

TEST_F(MitRegistryTest, StopAnswersWhatWasSent) {
  Unregister();
  registry_.Stop();
  loop_.RunPosted();
  ASSERT_TRUE(removed_.has_value());
  EXPECT_THAT(
      *removed_,
      IsInterrupted("unregister mTest/node-1: this clusterd stopped before the "
                    "authority had answered; the DELETE was sent"));
  EXPECT_EQ(transport_.cancelled, 1);
}

TEST_F(MitRegistryTest, StopAnswersWhatWasNotSent) {
  Register();
  transport_.requests.at(0).sent = false;
  registry_.Stop();
  loop_.RunPosted();
  EXPECT_THAT(
      RegisterError(),
      IsInterrupted("register mTest/node-1: this clusterd stopped before the "
                    "authority had answered; nothing was sent"));
}

// Between two attempts, the first of which was answered.
TEST_F(MitRegistryTest, StopAnswersWhatWouldBeTriedAgain) {
  Register();
  transport_.Answer(503, "");
  registry_.Stop();
  loop_.RunPosted();
  EXPECT_THAT(
      RegisterError(),
      IsInterrupted("register mTest/node-1: this clusterd stopped before the "
                    "authority had answered; the POST was sent"));
  loop_.Advance(absl::Minutes(1));
  EXPECT_TRUE(transport_.requests.empty());
}

TEST_F(MitRegistryTest, StopAnswersWhatWaitsForAToken) {
  tokens_.keep = true;
  Remove("v1");
  registry_.Stop();
  loop_.RunPosted();
  ASSERT_TRUE(removal_.has_value());
  EXPECT_THAT(
      removal_->status(),
      IsInterrupted("remove mTest/node-2: this clusterd stopped before the "
                    "authority had answered; nothing was sent"));
  // A token that comes late changes nothing.
  std::move(tokens_.kept.at(0))("token");
  loop_.RunPosted();
  EXPECT_TRUE(transport_.requests.empty());
}

TEST_F(MitRegistryTest, AfterAStopNothingIsSent) {
  registry_.Stop();
  Unregister();
  ASSERT_TRUE(removed_.has_value());
  EXPECT_THAT(
      *removed_,
      IsInterrupted("unregister mTest/node-1: this clusterd stopped before the "
                    "authority had answered; nothing was sent"));
  EXPECT_TRUE(transport_.requests.empty());
}

}  // namespace
}  // namespace coord
