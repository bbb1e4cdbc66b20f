#include "server/fanout/load_governor.h"

#include <gtest/gtest.h>

#include <string>

#include "common/error.h"
#include "tests/unit/fanout/fan_out_fixture.h"

namespace coord {
namespace {

constexpr int kMost = 10'000;
constexpr absl::Duration kAllowed = absl::Seconds(1);
constexpr absl::Duration kLate = absl::Milliseconds(501);
constexpr absl::Duration kInTime = absl::Milliseconds(500);

class LoadGovernorTest : public testing::Test {
 protected:
  LoadGovernorTest() { Window(0, kInTime); }

  // A window in which `calls` end after `took`, the last one at its end.
  void Window(int calls, absl::Duration took) {
    for (int i = 1; i < calls; ++i) End(took);
    loop_.Advance(absl::Milliseconds(100));
    End(took);
  }
  void End(absl::Duration took) {
    governor_.OnCallEnded(loop_, window_, /*node_calls=*/0, took, kAllowed);
  }

  ManualLoop loop_;
  Admission admission_{{.calls = 1000, .node_calls = kMost, .waiting = 256}};
  LoadGovernor governor_{admission_, 1, absl::Milliseconds(100)};
  LoadWindow window_;
};

TEST_F(LoadGovernorTest, SlowNodesAloneLimitNothing) {
  loop_.SetLoad(0.89);
  Window(100, kLate);
  EXPECT_EQ(admission_.capacity(), kMost);
}

TEST_F(LoadGovernorTest, ABusyLoopThatAnswersInTimeLimitsNothing) {
  loop_.SetLoad(1);
  Window(100, kInTime);
  EXPECT_EQ(admission_.capacity(), kMost);
}

TEST_F(LoadGovernorTest, ABusyLoopThatAnswersLateLetsFewerIn) {
  ASSERT_TRUE(admission_.TryEnter(1000));
  loop_.SetLoad(1);
  Window(100, kLate);
  EXPECT_EQ(admission_.capacity(), 700);
  EXPECT_FALSE(admission_.TryEnter(1)) << "1000 are still in flight";
  Window(100, kLate);
  EXPECT_EQ(admission_.capacity(), 490);
}

TEST_F(LoadGovernorTest, AFewLateOnesChangeNothing) {
  ASSERT_TRUE(admission_.TryEnter(1000));
  loop_.SetLoad(1);
  for (int i = 0; i < 5; ++i) End(kLate);
  Window(95, kInTime);
  EXPECT_EQ(admission_.capacity(), kMost);
}

TEST_F(LoadGovernorTest, EnoughToKeepTheLoopBusyIsAlwaysLetIn) {
  ASSERT_TRUE(admission_.TryEnter(1));
  loop_.SetLoad(1);
  for (int i = 0; i < 50; ++i) Window(10, kLate);
  EXPECT_EQ(admission_.capacity(), 64);
  EXPECT_TRUE(admission_.TryEnter(1000)) << "one call may go over it";
  EXPECT_FALSE(admission_.TryEnter(1));
}

TEST_F(LoadGovernorTest, MoreAreLetInOnceTheLoopHasTimeToSpare) {
  ASSERT_TRUE(admission_.TryEnter(1000));
  loop_.SetLoad(1);
  Window(100, kLate);
  loop_.SetLoad(0.5);
  Window(100, kLate);
  EXPECT_EQ(admission_.capacity(), 875);
  for (int i = 0; i < 20; ++i) Window(100, kLate);
  EXPECT_EQ(admission_.capacity(), kMost);
}

TEST_F(LoadGovernorTest, SlightlyMoreWhileAllAreInTime) {
  ASSERT_TRUE(admission_.TryEnter(1000));
  loop_.SetLoad(1);
  Window(100, kLate);
  Window(100, kInTime);
  EXPECT_EQ(admission_.capacity(), 735);
}

TEST_F(LoadGovernorTest, NoMoreWaitThanHaveATurnInTime) {
  ASSERT_TRUE(admission_.TryEnter(1000));
  loop_.SetLoad(1);
  Window(3, kLate);  // 3 in the time that one may wait
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(admission_.Wait(1, [] {}).has_value());
  }
  EXPECT_FALSE(admission_.Wait(1, [] {}).has_value());
  EXPECT_TRUE(admission_.Full());
}

TEST_F(LoadGovernorTest, WhoWaitsIsLetInAsSoonAsThereIsRoom) {
  ASSERT_TRUE(admission_.TryEnter(1000));
  loop_.SetLoad(1);
  Window(100, kLate);
  admission_.GiveNodeCalls(200);  // 800 are in flight, 700 allowed
  bool admitted = false;
  ASSERT_TRUE(admission_.Wait(1, [&] { admitted = true; }).has_value());
  EXPECT_FALSE(admitted);
  loop_.SetLoad(0);
  Window(100, kInTime);
  EXPECT_TRUE(admitted);
}

TEST_F(LoadGovernorTest, WhatIsInFlightForLongHoldsNobodyUp) {
  ASSERT_TRUE(admission_.TryEnter(1000));
  loop_.SetLoad(1);
  Window(100, kLate);
  EXPECT_FALSE(admission_.TryEnter(1));
  loop_.SetLoad(0);
  loop_.Advance(absl::Milliseconds(200));  // and no call ends
  EXPECT_TRUE(admission_.TryEnter(1));
  loop_.Advance(absl::Seconds(3));
  EXPECT_EQ(admission_.capacity(), kMost);
  EXPECT_FALSE(admission_.IsLowered());
  EXPECT_EQ(loop_.timers(), 0u);
}

TEST_F(LoadGovernorTest, ALoopIsOneOfAll) {
  LoadGovernor governor(admission_, 2, absl::Milliseconds(100));
  ASSERT_TRUE(admission_.TryEnter(1000));
  ManualLoop busy;
  busy.SetLoad(1);
  ManualLoop idle;
  LoadWindow busy_window;
  LoadWindow idle_window;
  governor.OnCallEnded(busy, busy_window, 0, kLate, kAllowed);
  EXPECT_EQ(admission_.capacity(), 850);
  governor.OnCallEnded(idle, idle_window, 0, kInTime, kAllowed);
  EXPECT_EQ(admission_.capacity(), 956);
  EXPECT_TRUE(admission_.IsLowered());
}

TEST_F(LoadGovernorTest, TheCallThatEndedCountsAsInUse) {
  loop_.SetLoad(1);
  loop_.Advance(absl::Milliseconds(100));
  governor_.OnCallEnded(loop_, window_, 500, kLate, kAllowed);
  EXPECT_EQ(admission_.capacity(), 350);
}

class OverloadTest : public FanOutTest {};

TEST_F(OverloadTest, ACallThatCannotBeAnsweredInTimeIsRefused) {
  options_.max_queued_calls = 0;
  options_.request_timeout = absl::Seconds(20);
  SetMembers(100);
  FanOutCall call = Call();
  call.time_left = absl::Seconds(10);
  auto first = Start(call);
  auto second = Start(call);
  auto third = Start(call);
  auto fourth = Start(call);
  loop_.SetLoad(1);
  loop_.Advance(absl::Seconds(6));
  for (int i = 0; i < 100; ++i) Answer(absl::StrCat("n", i));
  ASSERT_TRUE(first->answer.has_value());
  EXPECT_EQ(engine().node_calls_allowed(), 280);
  auto fifth = Start(call);
  ASSERT_TRUE(fifth->refusal.has_value());
  EXPECT_TRUE(HasReason(*fifth->refusal, Reason::kTooManyNodeCalls));
  EXPECT_EQ(
      fifth->refusal->message(),
      "call cluster: node calls in flight are as many as this process can "
      "answer in time");
  EXPECT_EQ(DetailOf(*fifth->refusal).retry_after, absl::Milliseconds(100));
  EXPECT_EQ(engine().CheckOpen(), *fifth->refusal);

  for (int i = 0; i < 100; ++i) Answer(absl::StrCat("n", i));
  ASSERT_TRUE(second->answer.has_value());
  EXPECT_TRUE(engine().CheckOpen().ok());
}

}  // namespace
}  // namespace coord
