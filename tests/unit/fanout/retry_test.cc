// When a node is asked again, and what its attempts prove.
#include "tests/unit/fanout/fan_out_fixture.h"

namespace coord {
namespace {

using Kind = HttpError::Kind;

class RetryTest : public FanOutTest {
 protected:
  void SetUp() override { SetMembers(1); }

  static FanOutCall Post() {
    FanOutCall call = Call();
    call.method = "POST";
    return call;
  }

  // Whether another attempt follows after a backoff.
  bool Repeats() {
    if (!transport_.requests.empty()) return false;
    loop_.Advance(absl::Seconds(3));
    return transport_.requests.size() == 1;
  }
};

TEST_F(RetryTest, ServerErrorsAre429AndLostConnectionsAreRepeated) {
  for (int status : {429, 500, 502, 503, 504, 599}) {
    Start(Call());
    AnswerStatus("n0", status);
    EXPECT_TRUE(Repeats()) << status;
    Answer("n0");
  }
  for (Kind kind : {Kind::kUnreachable, Kind::kConnectionLost, Kind::kTimeout,
                    Kind::kOverloaded}) {
    auto sink = Start(Call());
    Fail("n0", kind, kind != Kind::kUnreachable);
    EXPECT_TRUE(Repeats());
    Answer("n0");
    EXPECT_EQ(OutcomeOf(*sink, "n0").attempts, 2);
    EXPECT_TRUE(IsResult(OutcomeOf(*sink, "n0")));
  }
}

TEST_F(RetryTest, NothingElseIsRepeated) {
  for (int status : {301, 400, 401, 403, 404, 408}) {
    auto sink = Start(Call());
    AnswerStatus("n0", status);
    EXPECT_TRUE(sink->ended()) << status;
  }
  for (Kind kind : {Kind::kBadResponse, Kind::kTooLarge}) {
    auto sink = Start(Call());
    Fail("n0", kind, true);
    EXPECT_TRUE(sink->ended());
  }
  auto sink = Start(Call());
  transport_.Answer(200, "{");
  EXPECT_TRUE(sink->ended());
}

TEST_F(RetryTest, AtMostMaxAttempts) {
  auto sink = Start(Call());
  for (int attempt = 1; attempt <= 3; ++attempt) {
    EXPECT_FALSE(sink->ended());
    AnswerStatus("n0", 503);
    loop_.Advance(absl::Seconds(3));
  }
  ASSERT_TRUE(sink->ended());
  EXPECT_EQ(OutcomeOf(*sink, "n0").attempts, 3);
  EXPECT_EQ(OutcomeOf(*sink, "n0").message,
            "call n0: answered 503 (3 attempts)");
  EXPECT_EQ(observer_.retries, 2);

  FanOutCall once = Call();
  once.retry.max_attempts = 1;
  sink = Start(once);
  AnswerStatus("n0", 503);
  EXPECT_TRUE(sink->ended());
}

TEST_F(RetryTest, BackoffIsJitteredInTheUpperHalf) {
  for (int i = 0; i < 20; ++i) {
    Start(Call());
    AnswerStatus("n0", 503);
    EXPECT_GE(loop_.NextTimer(), absl::Milliseconds(50));
    EXPECT_LE(loop_.NextTimer(), absl::Milliseconds(100));
    loop_.Advance(absl::Milliseconds(100));
    AnswerStatus("n0", 503);
    EXPECT_GE(loop_.NextTimer(), absl::Milliseconds(100));
    EXPECT_LE(loop_.NextTimer(), absl::Milliseconds(200));
    loop_.Advance(absl::Milliseconds(200));
    Answer("n0");
  }
}

TEST_F(RetryTest, ChosenStatusesReplaceTheDefault) {
  FanOutCall call = Call();
  call.retry.statuses = {404};
  Start(call);
  AnswerStatus("n0", 404);
  EXPECT_TRUE(Repeats());
  AnswerStatus("n0", 503);
  EXPECT_EQ(observer_.ended, 1);
}

TEST_F(RetryTest, PostIsRepeatedOnlyAfter429OrWhenNothingWasSent) {
  Start(Post());
  AnswerStatus("n0", 429);
  EXPECT_TRUE(Repeats());
  Fail("n0", Kind::kUnreachable, false);
  EXPECT_TRUE(Repeats());
  Answer("n0");
  Start(Post());
  Fail("n0", Kind::kConnectionLost, false);
  EXPECT_TRUE(Repeats());
  Answer("n0");

  for (int status : {500, 502, 503, 504}) {
    auto sink = Start(Post());
    AnswerStatus("n0", status);
    EXPECT_TRUE(sink->ended()) << status;
  }
  auto sink = Start(Post());
  Fail("n0", Kind::kConnectionLost, true);
  ASSERT_TRUE(sink->ended());
  EXPECT_THAT(OutcomeOf(*sink, "n0"), FailedWith(FailureReason::kConnectionLost,
                                                 Certainty::kMaybeExecuted));
}

TEST_F(RetryTest, MethodOrCallerSaysWhatIsIdempotent) {
  const auto repeatable = [&](const char* method, std::optional<bool> said) {
    FanOutCall call = Call();
    call.method = method;
    call.idempotent = said;
    Start(call);
    const bool marked = transport_.requests[0].request.repeatable;
    AnswerStatus("n0", 503);
    const bool repeated = Repeats();
    EXPECT_EQ(marked, repeated);
    if (repeated) Answer("n0");
    return repeated;
  };
  for (const char* method : {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}) {
    EXPECT_TRUE(repeatable(method, std::nullopt)) << method;
    EXPECT_FALSE(repeatable(method, false)) << method;
  }
  for (const char* method : {"POST", "PATCH", "get", "FOO"}) {
    EXPECT_FALSE(repeatable(method, std::nullopt)) << method;
    EXPECT_TRUE(repeatable(method, true)) << method;
  }
}

TEST_F(RetryTest, NotSentOnlyIfNoAttemptWroteAByte) {
  auto sink = Start(Call());
  for (int i = 0; i < 3; ++i) {
    Fail("n0", Kind::kUnreachable, false);
    loop_.Advance(absl::Seconds(1));
  }
  EXPECT_THAT(OutcomeOf(*sink, "n0"),
              FailedWith(FailureReason::kUnreachable, Certainty::kNotSent));
}

TEST_F(RetryTest, MaybeExecutedEvenIfALaterAttemptWasAnswered) {
  auto sink = Start(Call());
  Fail("n0", Kind::kConnectionLost, true);
  loop_.Advance(absl::Seconds(1));
  AnswerStatus("n0", 404);
  EXPECT_THAT(OutcomeOf(*sink, "n0"), FailedWith(FailureReason::kHttpStatus,
                                                 Certainty::kMaybeExecuted));
}

TEST_F(RetryTest, AnsweredEvenIfALaterAttemptWasNotSent) {
  FanOutCall call = Call();
  call.retry.max_attempts = 2;
  auto sink = Start(call);
  AnswerStatus("n0", 503);
  loop_.Advance(absl::Seconds(1));
  Fail("n0", Kind::kUnreachable, false);
  const NodeOutcome& outcome = OutcomeOf(*sink, "n0");
  EXPECT_THAT(outcome,
              FailedWith(FailureReason::kUnreachable, Certainty::kAnswered));
  EXPECT_EQ(outcome.http_status, 0);
  EXPECT_EQ(outcome.body, "");
  EXPECT_TRUE(outcome.headers.empty());
}

TEST_F(RetryTest, NoRetryThatWouldStartAfterTheDeadline) {
  FanOutCall call = Call();
  call.time_left = absl::Milliseconds(40);
  auto sink = Start(call);
  AnswerStatus("n0", 503);
  ASSERT_TRUE(sink->ended());
  EXPECT_THAT(OutcomeOf(*sink, "n0"),
              FailedWith(FailureReason::kHttpStatus, Certainty::kAnswered));
  EXPECT_EQ(observer_.retries, 0);
}

TEST_F(RetryTest, RetryAfterIsRespectedWithinTheDeadline) {
  const auto answer = [&](int status, std::string wish) {
    transport_.Finish(HttpResponse{status, {{"Retry-After", wish}}, ""});
  };
  for (int status : {429, 503}) {
    Start(Call());
    answer(status, "7");
    loop_.Advance(absl::Milliseconds(6999));
    EXPECT_TRUE(transport_.requests.empty());
    loop_.Advance(absl::Milliseconds(1));
    EXPECT_EQ(transport_.requests.size(), 1u);
    Answer("n0");
  }
  for (std::string wish : {"51", "99999999999999999999"}) {
    auto sink = Start(Call());
    answer(503, wish);
    ASSERT_TRUE(sink->ended()) << wish;
    EXPECT_EQ(OutcomeOf(*sink, "n0").http_status, 503);
  }
  for (std::string wish : {"soon", "-5", ""}) {
    Start(Call());
    answer(503, wish);
    EXPECT_TRUE(Repeats()) << wish;
    Answer("n0");
  }
  Start(Call());
  answer(500, "9");
  EXPECT_TRUE(Repeats());
  Answer("n0");
}

TEST_F(RetryTest, RetryAfterMayBeADateInAnyForm) {
  const absl::Time now = loop_.WallTime();
  const auto date = [now](const char* format, absl::Duration ahead) {
    return absl::FormatTime(format, now + ahead, absl::UTCTimeZone());
  };
  const absl::Duration wait = absl::Seconds(7);
  for (const char* format :
       {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
        "%a %b %e %H:%M:%S %Y"}) {
    // The server's clock is an hour ahead.
    const absl::Duration ahead = absl::Hours(1) + (loop_.WallTime() - now);
    Start(Call());
    transport_.Finish(
        HttpResponse{503,
                     {{"Date", date("%a, %d %b %Y %H:%M:%S GMT", ahead)},
                      {"Retry-After", date(format, ahead + wait)}},
                     ""});
    loop_.Advance(wait - absl::Milliseconds(1));
    EXPECT_TRUE(transport_.requests.empty()) << format;
    loop_.Advance(absl::Milliseconds(1));
    EXPECT_EQ(transport_.requests.size(), 1u) << format;
    Answer("n0");
  }
  // Without a Date our clock counts, and the past is now.
  for (const auto& [ahead, waits] :
       {std::pair(absl::Seconds(30), true), {-absl::Seconds(30), false}}) {
    Start(Call());
    transport_.Finish(HttpResponse{
        429,
        {{"Retry-After",
          date("%a, %d %b %Y %H:%M:%S GMT", ahead + (loop_.WallTime() - now))}},
        ""});
    loop_.Advance(absl::Seconds(3));
    EXPECT_EQ(transport_.requests.empty(), waits);
    if (waits) loop_.Advance(absl::Seconds(27));
    EXPECT_EQ(transport_.requests.size(), 1u);
    Answer("n0");
  }
}

TEST_F(RetryTest, BudgetBoundsRetriesAndIsFilledByFirstAttempts) {
  options_.retry_budget = 0.5;
  options_.retry_budget_reserve = 2;
  const auto retried = [&] {
    FanOutCall call = Call();
    call.retry.max_attempts = 2;
    Start(call);
    AnswerStatus("n0", 503);
    const bool repeats = Repeats();
    if (repeats) Answer("n0");
    return repeats;
  };
  EXPECT_TRUE(retried());   // 2 → 1
  EXPECT_TRUE(retried());   // 1.5 → 0.5
  EXPECT_TRUE(retried());   // 1 → 0
  EXPECT_FALSE(retried());  // 0.5
  EXPECT_TRUE(retried());   // 1 → 0
}

TEST_F(RetryTest, BackoffDoesNotHoldAPlaceInMaxConcurrency) {
  SetMembers(2);
  FanOutCall call = Call();
  call.max_concurrency = 1;
  auto sink = Start(call);
  AnswerStatus("n0", 503);
  Answer("n1");
  loop_.Advance(absl::Seconds(1));
  Answer("n0");
  EXPECT_EQ(sink->answer->summary.verdict, Verdict::kComplete);
}

}  // namespace
}  // namespace coord
