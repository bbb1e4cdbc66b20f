// Cluster tokens: one for the call, replaced once when it is refused.
#include "tests/unit/fanout/fan_out_fixture.h"

namespace coord {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class TokenTest : public FanOutTest {
 protected:
  void SetUp() override {
    use_tokens_ = true;
    SetMembers(3);
  }
  void Give(absl::StatusOr<std::string> token) {
    tokens_.Give(std::move(token));
    loop_.RunPosted();
  }
  std::string TailOf(const std::string& id) const {
    return *transport_.requests[At(id)].request.tail;
  }
};

TEST_F(TokenTest, OneTokenIsFetchedBeforeAnythingIsSent) {
  FanOutCall call = Call();
  call.customer_name = "acme";
  Start(call);
  EXPECT_TRUE(transport_.requests.empty());
  ASSERT_EQ(tokens_.requests.size(), 1u);
  EXPECT_EQ(tokens_.requests[0].type, kType);
  EXPECT_EQ(tokens_.requests[0].customer_name, "acme");
  EXPECT_TRUE(tokens_.requests[0].cluster);
  Give("t1");
  ASSERT_EQ(transport_.requests.size(), 3u);
  for (const char* id : {"n0", "n1", "n2"}) {
    EXPECT_THAT(TailOf(id), HasSubstr("authorization: Bearer t1\r\n"));
  }
}

TEST_F(TokenTest, EmptyTokenMeansNoHeader) {
  Start(Call());
  Give("");
  EXPECT_THAT(TailOf("n0"), Not(HasSubstr("uthorization")));
  auto before = tokens_.requests.size();
  AnswerStatus("n0", 403);
  EXPECT_EQ(tokens_.requests.size(), before);
}

TEST_F(TokenTest, NobodyToCallNeedsNoToken) {
  FanOutCall call = Call();
  call.server_ids = {"ghost"};
  auto sink = Start(call);
  EXPECT_TRUE(sink->ended());
  EXPECT_TRUE(tokens_.requests.empty());
}

TEST_F(TokenTest, FailureIsTheCallersAndNeverTheNodes) {
  auto sink = Start(Call());
  Give(absl::UnavailableError("token service answered 503"));
  ASSERT_TRUE(sink->answer.has_value());
  EXPECT_EQ(sink->answer->summary.verdict, Verdict::kNone);
  for (const char* id : {"n0", "n1", "n2"}) {
    EXPECT_THAT(OutcomeOf(*sink, id),
                FailedWith(FailureReason::kToken, Certainty::kNotSent));
    EXPECT_EQ(
        OutcomeOf(*sink, id).message,
        absl::StrCat("call ", id, ": no token: token service answered 503"));
    EXPECT_EQ(OutcomeOf(*sink, id).attempts, 0);
  }
  EXPECT_TRUE(transport_.requests.empty());
  EXPECT_THAT(suspicions_.suspects, IsEmpty());
}

TEST_F(TokenTest, RefusedTokenIsReplacedOnceForAll) {
  FanOutCall call = Call();
  call.method = "POST";
  call.retry.max_attempts = 1;
  auto sink = Start(call);
  Give("t1");
  AnswerStatus("n0", 403);
  AnswerStatus("n1", 403);
  EXPECT_THAT(tokens_.dropped, ElementsAre("t1"));
  EXPECT_EQ(tokens_.requests.size(), 2u);
  Give("t2");
  EXPECT_THAT(TailOf("n0"), HasSubstr("Bearer t2"));
  EXPECT_THAT(TailOf("n0"), Not(HasSubstr("Bearer t1")));
  EXPECT_THAT(TailOf("n1"), HasSubstr("Bearer t2"));
  EXPECT_THAT(TailOf("n2"), HasSubstr("Bearer t1"));
  AnswerStatus("n2", 403);  // the new one is here already
  EXPECT_THAT(TailOf("n2"), HasSubstr("Bearer t2"));
  EXPECT_EQ(tokens_.requests.size(), 2u);
  Answer("n0");
  Answer("n2");
  AnswerStatus("n1", 403);  // once more, not for ever
  ASSERT_TRUE(sink->answer.has_value());
  EXPECT_EQ(tokens_.requests.size(), 2u);
  EXPECT_EQ(OutcomeOf(*sink, "n0").attempts, 2);
  EXPECT_TRUE(IsResult(OutcomeOf(*sink, "n2")));
  EXPECT_THAT(OutcomeOf(*sink, "n1"),
              FailedWith(FailureReason::kHttpStatus, Certainty::kAnswered));
  EXPECT_EQ(observer_.retries, 0);
}

TEST_F(TokenTest, RefusedTokenWithoutSuccessorIsATokenFailure) {
  SetMembers(1);
  auto sink = Start(Call());
  Give("t1");
  AnswerStatus("n0", 403);
  Give(absl::UnavailableError("down"));
  EXPECT_THAT(OutcomeOf(*sink, "n0"),
              FailedWith(FailureReason::kToken, Certainty::kAnswered));
  EXPECT_EQ(OutcomeOf(*sink, "n0").http_status, 403);
}

TEST_F(TokenTest, NoMoreThanOneReplacementForACall) {
  FanOutCall call = Call();
  call.max_concurrency = 1;
  auto sink = Start(call);
  Give("t1");
  AnswerStatus("n0", 403);
  Give("t2");
  for (const char* id : {"n0", "n1", "n2"}) {
    if (Waits(id)) AnswerStatus(id, 403);
  }
  while (!transport_.requests.empty()) {
    AnswerStatus(transport_.requests[0].request.origin.host, 403);
  }
  EXPECT_TRUE(sink->ended());
  EXPECT_EQ(tokens_.requests.size(), 2u);
}

TEST_F(TokenTest, TokenThatComesAfterTheDeadlineIsOfNoUse) {
  FanOutCall call = Call();
  call.time_left = absl::Seconds(1);
  auto sink = Start(call);
  loop_.Advance(absl::Seconds(1));
  ASSERT_TRUE(sink->ended());
  EXPECT_THAT(OutcomeOf(*sink, "n0"),
              FailedWith(FailureReason::kTimeout, Certainty::kNotSent));
  Give("t1");
  EXPECT_TRUE(transport_.requests.empty());
}

TEST_F(TokenTest, CallersAuthorizationIsForwardedWhereAllowed) {
  FanOutCall call = Call();
  call.headers = {{"Authorization", "Basic abc"}};
  Start(call);
  EXPECT_TRUE(tokens_.requests.empty());
  EXPECT_THAT(TailOf("n0"), HasSubstr("Basic abc"));
  AnswerStatus("n0", 403);
  EXPECT_TRUE(tokens_.dropped.empty());
}

}  // namespace
}  // namespace coord
