// Deadlines, attempt timeouts, concurrency, cancellation, suspicion.
#include "tests/unit/fanout/fan_out_fixture.h"

namespace coord {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Kind = HttpError::Kind;

class TimeTest : public FanOutTest {};

TEST_F(TimeTest, OneOfTwentyNeverAnswersAndNineteenResultsComeInTime) {
  SetMembers(20);
  FanOutCall call = Call();
  call.time_left = absl::Milliseconds(500);
  const absl::Time start = loop_.Now();
  absl::Time end;
  auto sink = Start(call);
  for (int i = 0; i < 20; ++i) {
    if (i != 7) Answer(absl::StrCat("n", i));
    loop_.Advance(absl::Milliseconds(10));
  }
  EXPECT_FALSE(sink->ended());
  while (!sink->ended()) loop_.Advance(absl::Milliseconds(1));
  end = loop_.Now();
  EXPECT_LE(end - start, absl::Milliseconds(500));
  EXPECT_EQ(sink->answer->summary.results, 19);
  EXPECT_EQ(sink->answer->summary.verdict, Verdict::kPartial);
  EXPECT_EQ(sink->answer->summary.elapsed, absl::Milliseconds(500));
  const NodeOutcome& silent = OutcomeOf(*sink, "n7");
  EXPECT_THAT(silent,
              FailedWith(FailureReason::kTimeout, Certainty::kMaybeExecuted));
  EXPECT_EQ(silent.elapsed, absl::Milliseconds(500));
  EXPECT_EQ(silent.attempts, 1);
  EXPECT_EQ(transport_.cancelled, 1);
  EXPECT_THAT(suspicions_.suspects, IsEmpty());
  EXPECT_EQ(loop_.timers(), 0u);
}

TEST_F(TimeTest, WithoutDeadlineTheDefaultEndsTheCall) {
  SetMembers(1);
  FanOutCall call = Call();
  call.attempt_timeout = absl::Minutes(2);
  auto sink = Start(call);
  loop_.Advance(absl::Seconds(50) - absl::Milliseconds(1));
  EXPECT_FALSE(sink->ended());
  loop_.Advance(absl::Milliseconds(1));
  EXPECT_TRUE(sink->ended());
}

TEST_F(TimeTest, LongerDeadlineThanTheDefaultIsRespected) {
  SetMembers(1);
  FanOutCall call = Call();
  call.attempt_timeout = absl::Minutes(5);
  call.time_left = absl::Minutes(2);
  auto sink = Start(call);
  loop_.Advance(absl::Seconds(119));
  EXPECT_FALSE(sink->ended());
  Answer("n0");
  EXPECT_EQ(sink->answer->summary.verdict, Verdict::kComplete);
}

TEST_F(TimeTest, UnsentAtTheDeadlineIsNotSent) {
  SetMembers(1);
  FanOutCall call = Call();
  call.time_left = absl::Seconds(1);
  auto sink = Start(call);
  transport_.requests[0].sent = false;
  loop_.Advance(absl::Seconds(1));
  EXPECT_THAT(OutcomeOf(*sink, "n0"),
              FailedWith(FailureReason::kTimeout, Certainty::kNotSent));
}

TEST_F(TimeTest, DeadlineBetweenAttemptsLeavesTheLastFailure) {
  SetMembers(1);
  FanOutCall call = Call();
  call.time_left = absl::Seconds(1);
  call.retry.backoff = {absl::Milliseconds(900), absl::Milliseconds(900)};
  auto sink = Start(call);
  loop_.Advance(absl::Milliseconds(50));
  AnswerStatus("n0", 503);
  handle_->Cancel();
  loop_.RunPosted();
  EXPECT_THAT(OutcomeOf(*sink, "n0"),
              FailedWith(FailureReason::kCancelled, Certainty::kAnswered));

  call.max_concurrency = 1;
  SetMembers(2);
  sink = Start(call);
  AnswerStatus("n0", 503);
  loop_.Advance(absl::Seconds(1));
  const NodeOutcome& outcome = OutcomeOf(*sink, "n0");
  EXPECT_THAT(outcome,
              FailedWith(FailureReason::kHttpStatus, Certainty::kAnswered));
  EXPECT_EQ(outcome.http_status, 503);
}

TEST_F(TimeTest, DeadlineCutsASecondAttempt) {
  SetMembers(1);
  FanOutCall call = Call();
  call.time_left = absl::Seconds(1);
  auto sink = Start(call);
  AnswerStatus("n0", 503);
  loop_.Advance(absl::Seconds(1));
  const NodeOutcome& outcome = OutcomeOf(*sink, "n0");
  EXPECT_THAT(outcome,
              FailedWith(FailureReason::kTimeout, Certainty::kMaybeExecuted));
  EXPECT_EQ(outcome.http_status, 0);
  EXPECT_EQ(outcome.body, "");
  EXPECT_EQ(outcome.attempts, 2);
}

TEST_F(TimeTest, SilentAttemptIsGivenUpAndRepeatedIfThatDoesNoHarm) {
  SetMembers(1);
  FanOutCall call = Call();
  call.attempt_timeout = absl::Milliseconds(100);
  auto sink = Start(call);
  loop_.Advance(absl::Milliseconds(100));
  EXPECT_EQ(transport_.cancelled, 1);
  loop_.Advance(absl::Milliseconds(100));
  ASSERT_TRUE(Waits("n0"));
  Answer("n0");
  EXPECT_EQ(OutcomeOf(*sink, "n0").certainty, Certainty::kMaybeExecuted);
  EXPECT_TRUE(IsResult(OutcomeOf(*sink, "n0")));

  call.method = "POST";
  sink = Start(call);
  loop_.Advance(absl::Milliseconds(100));
  EXPECT_THAT(OutcomeOf(*sink, "n0"),
              FailedWith(FailureReason::kTimeout, Certainty::kMaybeExecuted));
  EXPECT_EQ(OutcomeOf(*sink, "n0").message, "call n0: no answer within 100ms");
}

TEST_F(TimeTest, OneTimerServesAllAttempts) {
  SetMembers(50);
  Start(Call());
  EXPECT_EQ(loop_.timers(), 2u);
}

TEST_F(TimeTest, EachNodeHasItsOwnAttemptTimeout) {
  SetMembers(3);
  FanOutCall call = Call();
  call.attempt_timeout = absl::Seconds(1);
  call.max_concurrency = 1;
  call.retry.max_attempts = 1;
  auto sink = Start(call);
  loop_.Advance(absl::Milliseconds(600));
  Answer("n0");
  loop_.Advance(absl::Milliseconds(600));
  Answer("n1");
  loop_.Advance(absl::Milliseconds(999));
  EXPECT_FALSE(sink->ended());
  loop_.Advance(absl::Milliseconds(1));
  EXPECT_THAT(OutcomeOf(*sink, "n2"),
              FailedWith(FailureReason::kTimeout, Certainty::kMaybeExecuted));
}

TEST_F(TimeTest, MaxConcurrencyHoldsBackAndGoesOn) {
  SetMembers(5);
  FanOutCall call = Call();
  call.max_concurrency = 2;
  auto sink = Start(call);
  EXPECT_EQ(transport_.requests.size(), 2u);
  Answer("n1");
  EXPECT_EQ(transport_.requests.size(), 2u);
  for (const char* id : {"n0", "n2", "n3", "n4"}) Answer(id);
  EXPECT_EQ(sink->answer->summary.verdict, Verdict::kComplete);
}

TEST_F(TimeTest, EngineLimitsConcurrencyOfACall) {
  SetMembers(5);
  options_.max_node_calls_per_call = 3;
  Start(Call());
  EXPECT_EQ(transport_.requests.size(), 3u);
}

TEST_F(TimeTest, NeverStartedAtTheDeadlineIsTimeoutNotSent) {
  SetMembers(3);
  FanOutCall call = Call();
  call.max_concurrency = 1;
  call.time_left = absl::Seconds(1);
  auto sink = Start(call);
  loop_.Advance(absl::Seconds(1));
  const NodeOutcome& outcome = OutcomeOf(*sink, "n2");
  EXPECT_THAT(outcome,
              FailedWith(FailureReason::kTimeout, Certainty::kNotSent));
  EXPECT_EQ(outcome.attempts, 0);
  EXPECT_EQ(outcome.elapsed, absl::ZeroDuration());
  EXPECT_EQ(outcome.message,
            "call n2: the call's deadline came before its turn");
}

TEST_F(TimeTest, CancelEndsEverything) {
  SetMembers(4);
  FanOutCall call = Call();
  call.max_concurrency = 3;
  auto sink = Start(call);
  Answer("n0");
  transport_.requests[At("n1")].sent = false;
  handle_->Cancel();
  EXPECT_FALSE(sink->ended());
  loop_.RunPosted();
  ASSERT_TRUE(sink->answer.has_value());
  EXPECT_TRUE(IsResult(OutcomeOf(*sink, "n0")));
  EXPECT_THAT(OutcomeOf(*sink, "n1"),
              FailedWith(FailureReason::kCancelled, Certainty::kNotSent));
  EXPECT_THAT(OutcomeOf(*sink, "n2"),
              FailedWith(FailureReason::kCancelled, Certainty::kMaybeExecuted));
  EXPECT_THAT(OutcomeOf(*sink, "n3"),
              FailedWith(FailureReason::kCancelled, Certainty::kMaybeExecuted));
  EXPECT_TRUE(transport_.requests.empty());
  EXPECT_EQ(loop_.timers(), 0u);
  EXPECT_EQ(engine().calls_in_flight(), 0);
  handle_->Cancel();
  EXPECT_EQ(loop_.RunPosted(), 0);
}

TEST_F(TimeTest, CancelRightAfterTheStartAccountsForAll) {
  SetMembers(2);
  auto sink = std::make_shared<RecordingSink>();
  engine().Start(Call(), Delivery::kStreamed, sink)->Cancel();
  EXPECT_FALSE(sink->ended());
  loop_.RunPosted();
  ASSERT_TRUE(sink->answer.has_value());
  EXPECT_EQ(sink->streamed.size(), 2u);
  EXPECT_EQ(sink->streamed[0].failure, FailureReason::kCancelled);
  EXPECT_TRUE(transport_.requests.empty());
}

TEST_F(TimeTest, CallWhoseDeadlinePassedOnTheWaySendsNothing) {
  SetMembers(1);
  FanOutCall call = Call();
  call.time_left = absl::Milliseconds(10);
  auto sink = std::make_shared<RecordingSink>();
  engine().Start(call, Delivery::kAtOnce, sink);
  loop_.Stall(absl::Milliseconds(20));
  loop_.RunPosted();
  EXPECT_TRUE(transport_.requests.empty());
  EXPECT_THAT(OutcomeOf(*sink, "n0"),
              FailedWith(FailureReason::kTimeout, Certainty::kNotSent));
}

class SuspicionTest : public FanOutTest {
 protected:
  void SetUp() override { SetMembers(1); }
};

TEST_F(SuspicionTest, ConnectFailureOfTheFinalAttemptIsToldAfterTheAnswer) {
  auto sink = Start(Call());
  suspicions_.on_suspect = [&] { EXPECT_TRUE(sink->ended()); };
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(suspicions_.suspects, IsEmpty());
    Fail("n0", Kind::kUnreachable, false);
    loop_.Advance(absl::Seconds(1));
  }
  EXPECT_THAT(suspicions_.suspects, ElementsAre("cluster-1/n0"));
}

TEST_F(SuspicionTest, StreamedCallTellsAfterItsEndToo) {
  FanOutCall call = Call();
  call.retry.max_attempts = 1;
  auto sink = Start(call, Delivery::kStreamed);
  suspicions_.on_suspect = [&] { EXPECT_TRUE(sink->ended()); };
  Fail("n0", Kind::kUnreachable, false);
  EXPECT_THAT(suspicions_.suspects, ElementsAre("cluster-1/n0"));
}

TEST_F(SuspicionTest, SilenceForAFullRequestTimeoutIsTold) {
  FanOutCall call = Call();
  call.retry.max_attempts = 1;
  Start(call);
  loop_.Advance(absl::Seconds(10));
  EXPECT_THAT(suspicions_.suspects, ElementsAre("cluster-1/n0"));
}

TEST_F(SuspicionTest, AByteOfAnAnswerIsNoSilence) {
  FanOutCall call = Call();
  call.retry.max_attempts = 1;
  auto sink = Start(call);
  transport_.requests[0].heard = true;
  loop_.Advance(absl::Seconds(10));
  EXPECT_TRUE(sink->ended());
  call.attempt_timeout = absl::Minutes(1);
  sink = Start(call);
  transport_.requests[0].heard = true;
  loop_.Advance(absl::Seconds(50));
  EXPECT_TRUE(sink->ended());
  EXPECT_THAT(suspicions_.suspects, IsEmpty());
}

TEST_F(SuspicionTest, WhoSpeaksButCantBeConnectedToIsNotTold) {
  FanOutCall call = Call();
  call.retry.max_attempts = 1;
  auto sink = Start(call);
  HttpError error{Kind::kUnreachable, false, false, "not to be verified"};
  error.heard = true;
  transport_.Finish(std::move(error), At("n0"));
  EXPECT_TRUE(sink->ended());
  EXPECT_THAT(suspicions_.suspects, IsEmpty());
}

TEST_F(SuspicionTest, SilenceThatTheCallerOrTheDeadlineCutShortIsNot) {
  FanOutCall call = Call();
  call.attempt_timeout = absl::Seconds(9);
  auto sink = Start(call);
  loop_.Advance(absl::Seconds(50));
  EXPECT_TRUE(sink->ended());
  call.attempt_timeout = absl::ZeroDuration();
  call.time_left = absl::Seconds(9);
  sink = Start(call);
  loop_.Advance(absl::Seconds(9));
  EXPECT_TRUE(sink->ended());
  EXPECT_THAT(suspicions_.suspects, IsEmpty());
}

TEST_F(SuspicionTest, SilenceOfTheDnsIsNot) {
  FanOutCall call = Call();
  call.retry.max_attempts = 1;
  const auto hold_up = [this] {
    HttpError error{HttpError::Kind::kUnresolved};
    error.message = "resolve n0.test: no answer from the DNS";
    transport_.requests.front().held_up = error;
    transport_.requests.front().sent = false;
  };
  auto sink = Start(call);
  hold_up();
  loop_.Advance(absl::Seconds(10));
  EXPECT_THAT(OutcomeOf(*sink, "n0"),
              FailedWith(FailureReason::kUnreachable, Certainty::kNotSent));
  EXPECT_EQ(OutcomeOf(*sink, "n0").message,
            "call n0: resolve n0.test: no answer from the DNS within 10s");
  // Cut by the deadline.
  call.attempt_timeout = absl::Minutes(1);
  sink = Start(call);
  hold_up();
  loop_.Advance(absl::Seconds(50));
  EXPECT_THAT(OutcomeOf(*sink, "n0"),
              FailedWith(FailureReason::kUnreachable, Certainty::kNotSent));
  EXPECT_EQ(OutcomeOf(*sink, "n0").message,
            "call n0: resolve n0.test: no answer from the DNS before the "
            "call's deadline");
  EXPECT_THAT(suspicions_.suspects, IsEmpty());
}

TEST_F(SuspicionTest, LongSilenceCutByTheDeadlineIsTold) {
  FanOutCall call = Call();
  call.attempt_timeout = absl::Minutes(1);
  Start(call);
  loop_.Advance(absl::Seconds(50));
  EXPECT_THAT(suspicions_.suspects, ElementsAre("cluster-1/n0"));
}

TEST_F(SuspicionTest, AnswersOfWhateverKindAreSignsOfLife) {
  for (int status : {200, 301, 404, 500, 503}) {
    FanOutCall call = Call();
    call.retry.max_attempts = 1;
    Start(call);
    AnswerStatus("n0", status);
  }
  Start(Call());
  transport_.Answer(200, "{");
  Start(Call());
  transport_.Answer(200, R"({"server":{"serverId":"n9"}})");
  EXPECT_THAT(suspicions_.suspects, IsEmpty());
}

TEST_F(SuspicionTest, OverloadLostConnectionsAndBadAnswersAreNotTold) {
  for (Kind kind : {Kind::kOverloaded, Kind::kUnresolved, Kind::kConnectionLost,
                    Kind::kBadResponse, Kind::kTooLarge, Kind::kTimeout}) {
    FanOutCall call = Call();
    call.retry.max_attempts = 1;
    auto sink = Start(call);
    Fail("n0", kind, kind != Kind::kOverloaded && kind != Kind::kUnresolved);
    EXPECT_TRUE(sink->ended());
  }
  EXPECT_THAT(suspicions_.suspects, IsEmpty());
}

TEST_F(SuspicionTest, CancelledAndSkippedNodesAreNotTold) {
  Start(Call());
  loop_.Advance(absl::Seconds(10));
  handle_->Cancel();
  loop_.RunPosted();
  EXPECT_EQ(observer_.ended, 1);
  EXPECT_THAT(suspicions_.suspects, IsEmpty());
}

TEST_F(SuspicionTest, LaterAnswerClearsASilence) {
  FanOutCall call = Call();
  call.retry.max_attempts = 2;
  Start(call);
  loop_.Advance(absl::Seconds(11));
  AnswerStatus("n0", 500);
  EXPECT_EQ(observer_.ended, 1);
  EXPECT_THAT(suspicions_.suspects, IsEmpty());
}

// A server whose queue is full takes a connection after 1, 3 or 7 s.
TEST_F(SuspicionTest, ConnectingMayTakeARequestTimeout) {
  Start(Call());
  EXPECT_EQ(transport_.requests[0].request.connect_timeout,
            options_.request_timeout);
  engine_.reset();
  options_.request_timeout = absl::Seconds(2);
  Start(Call());
  EXPECT_EQ(transport_.requests[1].request.connect_timeout, absl::Seconds(2));
}

}  // namespace
}  // namespace coord
