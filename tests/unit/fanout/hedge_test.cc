// Second requests to servers that are slow to answer.
#include "tests/unit/fanout/fan_out_fixture.h"

namespace coord {
namespace {

using Kind = HttpError::Kind;
using testing::IsEmpty;

constexpr absl::Duration kDelay = absl::Milliseconds(20);

class HedgeTest : public FanOutTest {
 protected:
  void SetUp() override { SetMembers(1); }

  static FanOutCall Hedged(std::optional<absl::Duration> delay = kDelay) {
    FanOutCall call = Call();
    call.hedge = HedgePolicy{delay};
    return call;
  }

  // A call whose first request and hedge are both in flight, in this order.
  std::shared_ptr<RecordingSink> StartBoth(FanOutCall call = Hedged()) {
    auto sink = Start(std::move(call));
    loop_.Advance(kDelay);
    EXPECT_EQ(transport_.requests.size(), 2u);
    return sink;
  }

  static std::string Genuine() {
    return R"({"data":1,"server":{"serverId":"n0"}})";
  }

  // Lets n0 answer 20 calls, each after `latency`.
  void Teach(absl::Duration latency) {
    for (int i = 0; i < 20; ++i) {
      Start(Hedged(std::nullopt));
      loop_.Advance(latency);
      ASSERT_EQ(transport_.requests.size(), 1u);
      Answer("n0");
    }
  }

  void ExpectNothingLeft() {
    EXPECT_THAT(transport_.requests, IsEmpty());
    EXPECT_EQ(loop_.timers(), 0u);
    EXPECT_EQ(engine().calls_in_flight(), 0);
  }
};

TEST_F(HedgeTest, FollowsOnceAfterTheDelay) {
  auto sink = Start(Hedged());
  loop_.Advance(kDelay - absl::Milliseconds(1));
  EXPECT_EQ(transport_.requests.size(), 1u);
  loop_.Advance(absl::Milliseconds(1));
  ASSERT_EQ(transport_.requests.size(), 2u);
  EXPECT_EQ(transport_.requests[0].ToString(),
            transport_.requests[1].ToString());
  EXPECT_EQ(observer_.hedges, 1);
  loop_.Advance(kDelay * 5);
  EXPECT_EQ(transport_.requests.size(), 2u);
  EXPECT_FALSE(sink->ended());
}

TEST_F(HedgeTest, IsOffUnlessTheCallerWantsIt) {
  Start(Call());
  loop_.Advance(absl::Seconds(5));
  EXPECT_EQ(transport_.requests.size(), 1u);
}

TEST_F(HedgeTest, IsNotSentToWhoHasAnswered) {
  SetMembers(2);
  Start(Hedged());
  Answer("n0");
  loop_.Advance(kDelay);
  EXPECT_FALSE(Waits("n0"));
  EXPECT_EQ(transport_.requests.size(), 2u);
}

TEST_F(HedgeTest, ItsResultWinsAndTheFirstRequestIsCancelled) {
  auto sink = StartBoth();
  transport_.Answer(200, Genuine(), 1);
  ASSERT_TRUE(sink->answer.has_value());
  EXPECT_EQ(sink->answer->data_json, "[1]");
  EXPECT_EQ(OutcomeOf(*sink, "n0").attempts, 2);
  EXPECT_EQ(transport_.cancelled, 1);
  EXPECT_EQ(observer_.hedges_won, 1);
  EXPECT_EQ(observer_.retries, 0);
  ExpectNothingLeft();
}

TEST_F(HedgeTest, TheFirstRequestMayStillWin) {
  auto sink = StartBoth();
  transport_.Answer(200, Genuine(), 0);
  EXPECT_TRUE(IsResult(OutcomeOf(*sink, "n0")));
  EXPECT_EQ(transport_.cancelled, 1);
  EXPECT_EQ(observer_.hedges_won, 0);
  ExpectNothingLeft();
}

TEST_F(HedgeTest, AFailureWaitsForTheOtherRequest) {
  for (std::size_t failing : {0, 1}) {
    auto sink = StartBoth();
    transport_.Answer(500, "{}", failing);
    EXPECT_FALSE(sink->ended());
    loop_.Advance(absl::Seconds(1));
    ASSERT_EQ(transport_.requests.size(), 1u) << "no retry meanwhile";
    Answer("n0");
    EXPECT_TRUE(IsResult(OutcomeOf(*sink, "n0")));
    EXPECT_EQ(OutcomeOf(*sink, "n0").attempts, 2);
    ExpectNothingLeft();
  }
}

TEST_F(HedgeTest, WhenBothFailTheAttemptIsRepeatedWithoutAnotherHedge) {
  auto sink = StartBoth();
  transport_.Fail(Kind::kConnectionLost, true);
  transport_.Fail(Kind::kConnectionLost, true);
  EXPECT_FALSE(sink->ended());
  EXPECT_EQ(observer_.retries, 1);
  loop_.Advance(absl::Seconds(1));
  EXPECT_EQ(transport_.requests.size(), 1u);
  EXPECT_EQ(observer_.hedges, 1);
  Answer("n0");
  EXPECT_EQ(OutcomeOf(*sink, "n0").attempts, 3);
}

TEST_F(HedgeTest, DoesNotCountAsOneOfTheCallersAttempts) {
  FanOutCall call = Hedged();
  call.retry.max_attempts = 2;
  auto sink = StartBoth(call);
  transport_.Answer(503, "{}");
  transport_.Answer(503, "{}");
  loop_.Advance(absl::Seconds(1));
  ASSERT_EQ(transport_.requests.size(), 1u);
  transport_.Answer(503, "{}");
  EXPECT_THAT(OutcomeOf(*sink, "n0"),
              FailedWith(FailureReason::kHttpStatus, Certainty::kAnswered));
  EXPECT_EQ(OutcomeOf(*sink, "n0").message,
            "call n0: answered 503 (3 attempts)");
}

TEST_F(HedgeTest, AnAnsweredFailureIsUncertainWhileTheOtherGotNoAnswer) {
  auto sink = StartBoth();
  transport_.Fail(Kind::kConnectionLost, true, 0);
  transport_.Answer(404, "{}");
  EXPECT_THAT(OutcomeOf(*sink, "n0"), FailedWith(FailureReason::kHttpStatus,
                                                 Certainty::kMaybeExecuted));
}

TEST_F(HedgeTest, TwoAnsweredFailuresAreCertain) {
  auto sink = StartBoth();
  transport_.Answer(404, "{}");
  transport_.Answer(404, "{}");
  EXPECT_THAT(OutcomeOf(*sink, "n0"),
              FailedWith(FailureReason::kHttpStatus, Certainty::kAnswered));
}

TEST_F(HedgeTest, NothingWrittenIsNotSent) {
  FanOutCall call = Hedged();
  call.retry.max_attempts = 1;
  auto sink = StartBoth(call);
  transport_.Fail(Kind::kUnreachable, false);
  transport_.Fail(Kind::kUnreachable, false);
  EXPECT_THAT(OutcomeOf(*sink, "n0"),
              FailedWith(FailureReason::kUnreachable, Certainty::kNotSent));
}

TEST_F(HedgeTest, EndsWithTheAttemptThatItIsPartOf) {
  FanOutCall call = Hedged();
  call.attempt_timeout = absl::Milliseconds(50);
  call.retry.max_attempts = 1;
  auto sink = StartBoth(call);
  loop_.Advance(absl::Milliseconds(30));
  EXPECT_THAT(OutcomeOf(*sink, "n0"),
              FailedWith(FailureReason::kTimeout, Certainty::kMaybeExecuted));
  EXPECT_EQ(transport_.cancelled, 2);
  ExpectNothingLeft();
}

TEST_F(HedgeTest, BothEndWithTheCall) {
  FanOutCall call = Hedged();
  call.time_left = absl::Milliseconds(50);
  auto sink = StartBoth(call);
  loop_.Advance(absl::Milliseconds(30));
  EXPECT_THAT(OutcomeOf(*sink, "n0"),
              FailedWith(FailureReason::kTimeout, Certainty::kMaybeExecuted));
  ExpectNothingLeft();
  sink = StartBoth();
  handle_->Cancel();
  loop_.RunPosted();
  EXPECT_THAT(OutcomeOf(*sink, "n0"),
              FailedWith(FailureReason::kCancelled, Certainty::kMaybeExecuted));
  ExpectNothingLeft();
}

TEST_F(HedgeTest, AServerThatAnsweredOneOfBothIsNotSuspected) {
  FanOutCall call = Hedged();
  call.retry.max_attempts = 1;
  StartBoth(call);
  transport_.Answer(500, "{}");
  loop_.Advance(options_.request_timeout);
  EXPECT_THAT(suspicions_.suspects, IsEmpty());
  StartBoth(call);
  loop_.Advance(options_.request_timeout);
  EXPECT_EQ(suspicions_.suspects.size(), 1u);
}

TEST_F(HedgeTest, TheBudgetBoundsThem) {
  options_.hedge_budget_percent = 50;
  options_.hedge_budget_reserve = 1;
  SetMembers(4);
  Start(Hedged());
  loop_.Advance(kDelay);
  EXPECT_EQ(observer_.hedges, 1);
  for (const char* id : {"n0", "n1", "n2", "n3"}) Answer(id);
  Start(Hedged());  // earned 4 x 50 %, of which 1 is kept
  loop_.Advance(kDelay);
  EXPECT_EQ(observer_.hedges, 2);
}

TEST_F(HedgeTest, NeedsRoomAmongTheNodeCallsAndGivesItBack) {
  options_.max_node_calls = 1;
  Start(Hedged());
  loop_.Advance(kDelay);
  EXPECT_EQ(observer_.hedges, 0);
  EXPECT_EQ(transport_.requests.size(), 1u);

  options_.max_node_calls = 2;
  transport_.requests.clear();
  engine_.reset();
  StartBoth();
  transport_.Answer(200, Genuine(), 1);
  StartBoth();
  transport_.Answer(200, Genuine(), 0);
  StartBoth();
}

TEST_F(HedgeTest, WhereTheAttemptIsOverByThenItIsNotSent) {
  FanOutCall call = Hedged();
  call.attempt_timeout = kDelay;
  call.retry.max_attempts = 1;
  auto sink = Start(std::move(call));
  loop_.Advance(kDelay);
  EXPECT_EQ(observer_.hedges, 0);
  ASSERT_TRUE(sink->answer.has_value());
  EXPECT_EQ(sink->answer->outcomes[0].failure, FailureReason::kTimeout);
  ExpectNothingLeft();
}

TEST_F(HedgeTest, WithoutADelayItFollowsTheP95OfTheServer) {
  Teach(absl::Milliseconds(7));
  Start(Hedged(std::nullopt));
  loop_.Advance(absl::Milliseconds(6));
  EXPECT_EQ(observer_.hedges, 0);
  loop_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(observer_.hedges, 1);
}

TEST_F(HedgeTest, WithoutADelayAndBeforeEnoughIsKnownThereIsNone) {
  Start(Hedged(std::nullopt));
  loop_.Advance(absl::Seconds(5));
  EXPECT_EQ(observer_.hedges, 0);
}

TEST_F(HedgeTest, IsNeverSentSoonerThanAMillisecond) {
  Teach(absl::Microseconds(50));
  Start(Hedged(std::nullopt));
  loop_.Advance(absl::Microseconds(999));
  EXPECT_EQ(observer_.hedges, 0);
  loop_.Advance(absl::Microseconds(1));
  EXPECT_EQ(observer_.hedges, 1);
}

TEST_F(HedgeTest, IsRefusedWhereARepetitionDoesHarm) {
  FanOutCall call = Hedged();
  call.method = "POST";
  EXPECT_EQ(ViolatedField(*Start(call)), "hedge");
  call.idempotent = true;
  EXPECT_FALSE(Start(call)->refusal.has_value());
  call.method = "GET";
  call.idempotent = false;
  EXPECT_EQ(ViolatedField(*Start(call)), "hedge");
}

TEST_F(HedgeTest, ItsDelayIsBounded) {
  for (absl::Duration bad : {absl::ZeroDuration(), absl::Microseconds(999),
                             absl::Minutes(11), absl::InfiniteDuration()}) {
    EXPECT_EQ(ViolatedField(*Start(Hedged(bad))), "hedge.delay");
  }
}

}  // namespace
}  // namespace coord
