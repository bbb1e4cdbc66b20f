// Calls that meet a limit and wait for their turn.
#include "tests/unit/fanout/fan_out_fixture.h"

namespace coord {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class QueueTest : public FanOutTest {
 protected:
  QueueTest() {
    options_.max_calls = 1;
    options_.max_queued_calls = 2;
    options_.max_queue_time = absl::Milliseconds(100);
    SetMembers(1);
  }

  static FanOutCall CallWithin(absl::Duration time_left) {
    FanOutCall call = Call();
    call.time_left = time_left;
    return call;
  }

  static void ExpectBusy(const RecordingSink& sink) {
    ASSERT_TRUE(sink.refusal.has_value());
    EXPECT_EQ(sink.refusal->code(), absl::StatusCode::kResourceExhausted);
    EXPECT_TRUE(HasReason(*sink.refusal, Reason::kTooManyCalls));
    EXPECT_EQ(DetailOf(*sink.refusal).retry_after, absl::Milliseconds(100));
  }
};

TEST_F(QueueTest, ACallBeginsWhenOneBeforeItEnds) {
  auto first = Start(Call());
  auto second = Start(Call());
  EXPECT_EQ(transport_.requests.size(), 1u);
  EXPECT_EQ(engine().calls_waiting(), 1);
  EXPECT_EQ(observer_.started, 1);
  loop_.Advance(absl::Milliseconds(30));
  Answer("n0");
  EXPECT_TRUE(first->ended());
  EXPECT_EQ(engine().calls_waiting(), 0);
  EXPECT_THAT(observer_.waits, ElementsAre(absl::Milliseconds(30)));
  loop_.Advance(absl::Milliseconds(5));
  Answer("n0");
  ASSERT_TRUE(second->answer.has_value());
  EXPECT_EQ(second->answer->summary.verdict, Verdict::kComplete);
  EXPECT_EQ(second->answer->summary.elapsed, absl::Milliseconds(35));
  EXPECT_EQ(observer_.started, 2);
  EXPECT_EQ(engine().calls_in_flight(), 0);
  EXPECT_EQ(loop_.timers(), 0u);
}

TEST_F(QueueTest, ACallThatFindsTheQueueFullIsRefusedAtOnce) {
  auto first = Start(Call());
  auto second = Start(Call());
  auto third = Start(Call());
  EXPECT_TRUE(engine().CheckOpen().code() ==
              absl::StatusCode::kResourceExhausted);
  auto fourth = Start(Call());
  ExpectBusy(*fourth);
  EXPECT_FALSE(second->ended() || third->ended());
  EXPECT_EQ(observer_.refused, 2);
  Answer("n0");
  EXPECT_TRUE(engine().CheckOpen().ok());
}

TEST_F(QueueTest, ACallThatWaitsTooLongIsRefused) {
  auto first = Start(Call());
  auto second = Start(Call());
  loop_.Advance(absl::Milliseconds(99));
  EXPECT_FALSE(second->ended());
  loop_.Advance(absl::Milliseconds(1));
  ExpectBusy(*second);
  EXPECT_THAT(std::string(second->refusal->message()),
              HasSubstr("limit of 1, and were for 100ms"));
  EXPECT_THAT(observer_.waits, ElementsAre(absl::Milliseconds(100)));
  EXPECT_EQ(observer_.refused, 1);
  Answer("n0");
  EXPECT_THAT(transport_.requests, IsEmpty());
  EXPECT_EQ(engine().calls_in_flight(), 0);
}

TEST_F(QueueTest, NoneWaitsForMoreThanAQuarterOfItsTime) {
  auto first = Start(Call());
  auto second = Start(CallWithin(absl::Milliseconds(40)));
  loop_.Advance(absl::Milliseconds(9));
  EXPECT_FALSE(second->ended());
  loop_.Advance(absl::Milliseconds(1));
  ExpectBusy(*second);
}

TEST_F(QueueTest, ACallWhoseTurnComesTooLateIsNotStarted) {
  auto first = Start(Call());
  auto second = Start(CallWithin(absl::Milliseconds(40)));
  loop_.Stall(absl::Milliseconds(21));
  Answer("n0");
  EXPECT_TRUE(first->answer.has_value());
  ExpectBusy(*second);
  EXPECT_THAT(transport_.requests, IsEmpty());
  EXPECT_EQ(engine().calls_in_flight(), 0);
  EXPECT_EQ(loop_.timers(), 0u);
}

TEST_F(QueueTest, TheDeadlineCountsFromTheArrival) {
  auto first = Start(Call());
  auto second = Start(CallWithin(absl::Milliseconds(100)));
  loop_.Advance(absl::Milliseconds(20));
  Answer("n0");
  loop_.Advance(absl::Milliseconds(79));
  EXPECT_FALSE(second->ended());
  loop_.Advance(absl::Milliseconds(1));
  ASSERT_TRUE(second->answer.has_value());
  EXPECT_THAT(OutcomeOf(*second, "n0"),
              FailedWith(FailureReason::kTimeout, Certainty::kMaybeExecuted));
}

TEST_F(QueueTest, ACancelledCallLeavesTheQueue) {
  auto first = Start(Call());
  auto second = Start(Call());
  handle_->Cancel();
  loop_.RunPosted();
  ASSERT_TRUE(second->refusal.has_value());
  EXPECT_TRUE(HasReason(*second->refusal, Reason::kCancelled));
  EXPECT_EQ(engine().calls_waiting(), 0);
  handle_->Cancel();
  loop_.RunPosted();
  Answer("n0");
  EXPECT_EQ(engine().calls_in_flight(), 0);
  EXPECT_EQ(loop_.timers(), 0u);
}

TEST_F(QueueTest, ACallThatIsCancelledAfterItsTurnCameSendsNothing) {
  auto first = Start(Call());
  auto second = std::make_shared<RecordingSink>();
  auto handle = engine().Start(Call(), Delivery::kAtOnce, second);
  loop_.RunPosted();
  handle->Cancel();  // posted before the turn, which finds it on its way
  Answer("n0");
  ASSERT_TRUE(second->refusal.has_value());
  EXPECT_TRUE(HasReason(*second->refusal, Reason::kCancelled));
  EXPECT_THAT(transport_.requests, IsEmpty());
  EXPECT_EQ(engine().calls_in_flight(), 0);
}

TEST_F(QueueTest, ACallThatHasBegunIsCancelledAsAnyOther) {
  auto first = Start(Call());
  auto second = Start(Call());
  Answer("n0");
  handle_->Cancel();
  loop_.RunPosted();
  ASSERT_TRUE(second->answer.has_value());
  EXPECT_THAT(OutcomeOf(*second, "n0"),
              FailedWith(FailureReason::kCancelled, Certainty::kMaybeExecuted));
  EXPECT_EQ(engine().calls_in_flight(), 0);
}

TEST_F(QueueTest, MembersAreThoseOfTheMomentWhenTheCallBegins) {
  auto first = Start(Call());
  auto second = Start(Call());
  SetMembers(3);
  Answer("n0");
  for (const char* id : {"n0", "n1", "n2"}) Answer(id);
  ASSERT_TRUE(second->answer.has_value());
  EXPECT_EQ(second->answer->summary.results, 3);
  EXPECT_EQ(engine().calls_in_flight(), 0);
}

TEST_F(QueueTest, WhatCannotBePlannedGivesItsPermitsBack) {
  auto first = Start(Call());
  FanOutCall impossible = Call();
  impossible.policy = {CompletionPolicy::Kind::kAtLeast, 2};
  auto second = Start(impossible);
  Answer("n0");
  ASSERT_TRUE(second->refusal.has_value());
  EXPECT_TRUE(HasReason(*second->refusal, Reason::kPolicyImpossible));
  auto third = Start(Call());
  Answer("n0");
  EXPECT_TRUE(third->answer.has_value());
}

TEST_F(QueueTest, AStopRefusesWhoWaits) {
  auto first = Start(Call());
  auto second = Start(Call());
  engine().Stop();
  loop_.RunPosted();
  EXPECT_TRUE(first->answer.has_value());
  ASSERT_TRUE(second->refusal.has_value());
  EXPECT_TRUE(HasReason(*second->refusal, Reason::kDraining));
  EXPECT_EQ(second->refusal->message(),
            "call cluster: this process is draining");
  EXPECT_EQ(engine().calls_waiting(), 0);
  EXPECT_EQ(engine().calls_in_flight(), 0);
  EXPECT_EQ(loop_.timers(), 0u);
}

TEST_F(QueueTest, AStopRefusesWhoseTurnHasJustCome) {
  auto first = Start(Call());
  auto second = Start(Call());
  engine().Stop();
  Answer("n0");  // its end admits the second, before the stop is looked at
  ASSERT_TRUE(second->refusal.has_value());
  EXPECT_TRUE(HasReason(*second->refusal, Reason::kDraining));
  EXPECT_THAT(transport_.requests, IsEmpty());
  EXPECT_EQ(engine().calls_in_flight(), 0);
}

}  // namespace
}  // namespace coord
