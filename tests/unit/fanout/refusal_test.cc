// Calls that are refused, with nothing sent.
#include "tests/unit/fanout/fan_out_fixture.h"

namespace coord {
namespace {

using testing::HasSubstr;

class RefusalTest : public FanOutTest {
 protected:
  void SetUp() override {
    options_.max_queued_calls = 0;
    SetMembers(3);
  }

  absl::Status RefusalOf(FanOutCall call) {
    auto sink = Start(std::move(call));
    EXPECT_TRUE(transport_.requests.empty());
    transport_.requests.clear();
    EXPECT_TRUE(sink->refusal.has_value());
    return sink->refusal.value_or(absl::OkStatus());
  }

  // Refused for this field alone.
  void ExpectViolation(FanOutCall call, const std::string& field) {
    auto sink = Start(std::move(call));
    EXPECT_EQ(ViolatedField(*sink), field);
    EXPECT_TRUE(transport_.requests.empty());
    transport_.requests.clear();
  }
  void ExpectAccepted(FanOutCall call) {
    auto sink = Start(std::move(call));
    EXPECT_FALSE(sink->refusal.has_value()) << *sink->refusal;
    handle_->Cancel();
    loop_.RunPosted();
  }
};

TEST_F(RefusalTest, IsToldOnTheLoopAndNeverInsideStart) {
  FanOutCall call = Call();
  call.path = "";
  auto sink = std::make_shared<RecordingSink>();
  auto handle = engine().Start(call, Delivery::kAtOnce, sink);
  ASSERT_NE(handle, nullptr);
  EXPECT_FALSE(sink->ended());
  handle->Cancel();
  loop_.RunPosted();
  ASSERT_TRUE(sink->refusal.has_value());
  EXPECT_EQ(sink->refusal->code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(HasReason(*sink->refusal, Reason::kInvalidField));
}

TEST_F(RefusalTest, ManagementOff) {
  options_.management = false;
  EXPECT_TRUE(HasReason(RefusalOf(Call()), Reason::kManagementOff));
}

TEST_F(RefusalTest, Draining) {
  Start(Call());
  engine().Drain();
  auto sink = Start(Call());
  ASSERT_TRUE(sink->refusal.has_value());
  EXPECT_TRUE(HasReason(*sink->refusal, Reason::kDraining));
  EXPECT_EQ(sink->refusal->code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(DetailOf(*sink->refusal).retry_after.has_value());
  EXPECT_EQ(transport_.requests.size(), 3u);
  EXPECT_EQ(engine().calls_in_flight(), 1);
}

TEST_F(RefusalTest, UnknownAndAmbiguousClusters) {
  FanOutCall call = Call();
  call.type = "other";
  EXPECT_TRUE(HasReason(RefusalOf(call), Reason::kClusterNotFound));
  call = Call();
  call.cluster_id = "cluster-9";
  EXPECT_TRUE(HasReason(RefusalOf(call), Reason::kClusterNotFound));
  membership_.Replace({"cluster-2", kType, "http://p"}, {MakeServer("m0")},
                      membership_.Mark(), loop_.Now());
  EXPECT_TRUE(HasReason(RefusalOf(Call()), Reason::kClusterAmbiguous));
  call.cluster_id = "cluster-2";
  call.type = "";
  ExpectAccepted(call);
}

TEST_F(RefusalTest, OriginThatIsNoMember) {
  FanOutCall call = Call();
  call.origin_server_id = "ghost";
  const absl::Status status = RefusalOf(call);
  EXPECT_TRUE(HasReason(status, Reason::kNotRegistered));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("origin ghost is not a member"));
  // Not even its cluster is known before it has answered.
  call.type = "other";
  EXPECT_TRUE(HasReason(RefusalOf(call), Reason::kNotRegistered));
}

TEST_F(RefusalTest, PassedDeadline) {
  FanOutCall call = Call();
  call.time_left = absl::ZeroDuration();
  EXPECT_TRUE(HasReason(RefusalOf(call), Reason::kDeadlineExceeded));
}

TEST_F(RefusalTest, PolicyThatCanNotBeMetOnceDrainingServersAreTakenOff) {
  std::vector<Server> servers = {MakeServer("n0"), MakeServer("n1"),
                                 MakeServer("n2")};
  servers[2].state = ServerState::kDraining;
  SetMembers(servers);
  for (auto kind :
       {CompletionPolicy::Kind::kAtLeast, CompletionPolicy::Kind::kFirst}) {
    FanOutCall call = Call();
    call.policy = {kind, 3};
    EXPECT_TRUE(HasReason(RefusalOf(call), Reason::kPolicyImpossible));
    call.policy.n = 2;
    ExpectAccepted(call);
    call.server_ids = {"n0", "ghost"};
    EXPECT_TRUE(HasReason(RefusalOf(call), Reason::kPolicyImpossible));
  }
}

TEST_F(RefusalTest, TooManyCalls) {
  options_.max_calls = 2;
  auto first = Start(Call());
  auto second = Start(Call());
  auto third = Start(Call());
  ASSERT_TRUE(third->refusal.has_value());
  EXPECT_TRUE(HasReason(*third->refusal, Reason::kTooManyCalls));
  EXPECT_EQ(third->refusal->code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(DetailOf(*third->refusal).retry_after.has_value());
  EXPECT_EQ(engine().calls_in_flight(), 2);
  for (const char* id : {"n0", "n1", "n2"}) Answer(id);
  EXPECT_TRUE(first->ended());
  EXPECT_EQ(engine().calls_in_flight(), 1);
  auto fourth = Start(Call());
  EXPECT_FALSE(fourth->ended());
}

TEST_F(RefusalTest, TooManyNodeCalls) {
  options_.max_node_calls = 5;
  Start(Call());
  auto second = Start(Call());
  ASSERT_TRUE(second->refusal.has_value());
  EXPECT_TRUE(HasReason(*second->refusal, Reason::kTooManyNodeCalls));
  EXPECT_TRUE(DetailOf(*second->refusal).retry_after.has_value());
  EXPECT_EQ(engine().calls_in_flight(), 1);
  FanOutCall narrow = Call();
  narrow.max_concurrency = 2;
  Start(narrow);
  EXPECT_EQ(transport_.requests.size(), 5u);
  Answer("n0");  // a node that is done makes room
  FanOutCall one = Call();
  one.max_concurrency = 1;
  auto third = Start(one);
  EXPECT_FALSE(third->ended());
}

TEST_F(RefusalTest, ClusterLargerThanTheLimitIsCalledInTurns) {
  options_.max_node_calls = 2;
  auto sink = Start(Call());
  EXPECT_EQ(transport_.requests.size(), 2u);
  for (const char* id : {"n0", "n1", "n2"}) Answer(id);
  EXPECT_EQ(sink->answer->summary.verdict, Verdict::kComplete);
}

TEST_F(RefusalTest, TargetFields) {
  FanOutCall call = Call();
  call.type = "";
  ExpectViolation(call, "type");
  call.type = "9x";
  ExpectViolation(call, "type");
  call = Call();
  call.cluster_id = std::string(257, 'x');
  ExpectViolation(call, "cluster_id");
  call = Call();
  call.origin_server_id = "a/b";
  ExpectViolation(call, "origin_server_id");
  call = Call();
  call.server_ids = {"ok", ""};
  ExpectViolation(call, "server_ids[1]");
  call.server_ids = std::vector<std::string>(16'385, "x");
  ExpectViolation(call, "server_ids");
}

TEST_F(RefusalTest, Methods) {
  FanOutCall call = Call();
  for (const char* bad :
       {"", "G T", "GET\r\n", "CONNECT", "TRACE", "connect",
        "MORE-THAN-THIRTY-TWO-BYTES-OF-METHOD", "G\xc3\xa9"}) {
    call.method = bad;
    ExpectViolation(call, "http.method");
  }
  for (const char* good : {"GET", "M-SEARCH", "purge", "PATCH"}) {
    call.method = good;
    ExpectAccepted(call);
  }
}

TEST_F(RefusalTest, PathsAndQueries) {
  FanOutCall call = Call();
  for (const char* bad :
       {"", "x", "//host/x", "http://h/", "/a?b", "/a#b", "/../x",
        "/a/%2e%2e/../../x", "/a b", "/%zz", "/a\r\nx: y"}) {
    call.path = bad;
    ExpectViolation(call, "http.path");
  }
  call = Call();
  for (const char* bad : {"a b", "a#b", "a\nb", "%"}) {
    call.query = bad;
    ExpectViolation(call, "http.query");
  }
  call.path = "/a/../b";
  call.query = "a=1&b=%20?";
  Start(call);
  EXPECT_EQ(transport_.requests[0].request.target, "/base/a/../b?a=1&b=%20?");
}

TEST_F(RefusalTest, RefusedHeaders) {
  options_.forward_authorization = false;
  FanOutCall call = Call();
  for (const char* name :
       {"host", "Connection", "transfer-encoding", "Content-Length", "TE",
        "upgrade", "expect", "trailer", "proxy-authorization", "Proxy-X",
        "Authorization", "", "a b", "a:", "a\r\nb", "\xc3\xa9"}) {
    call.headers = {{"x-fine", "1"}, {name, "v"}};
    auto sink = Start(call);
    ASSERT_TRUE(sink->refusal.has_value()) << name;
    const ErrorDetail detail = DetailOf(*sink->refusal);
    ASSERT_EQ(detail.violations.size(), 1u) << name;
    EXPECT_EQ(detail.violations[0].field, "http.headers[1].name");
  }
  for (std::string value :
       {std::string("a\r\nb"), std::string("a\0b", 3), std::string("\x7f")}) {
    call.headers = {{"x", value}};
    ExpectViolation(call, "http.headers[0].value");
  }
  call.headers = {{"X-Any", " a\tb\xc3\xa9 "}, {"teapot", ""}};
  ExpectAccepted(call);
  call.headers = {{"x", std::string(16 << 10, 'x')}};
  ExpectViolation(call, "http.headers");
  call.headers = HttpHeaders(129, {"x", "y"});
  ExpectViolation(call, "http.headers");
}

TEST_F(RefusalTest, AuthorizationIsFineWhereItIsForwarded) {
  FanOutCall call = Call();
  call.headers = {{"authorization", "Bearer x"}};
  ExpectAccepted(call);
}

TEST_F(RefusalTest, PolicyNumbers) {
  FanOutCall call = Call();
  call.policy = {CompletionPolicy::Kind::kAtLeast, 0};
  ExpectViolation(call, "policy.at_least");
  call.policy = {CompletionPolicy::Kind::kFirst, -1};
  ExpectViolation(call, "policy.first");
}

TEST_F(RefusalTest, RetryFields) {
  for (int bad : {0, -1, 11}) {
    FanOutCall call = Call();
    call.retry.max_attempts = bad;
    ExpectViolation(call, "retry.max_attempts");
  }
  for (absl::Duration bad :
       {-absl::Nanoseconds(1), absl::Minutes(11), absl::InfiniteDuration()}) {
    FanOutCall call = Call();
    call.retry.backoff.initial = bad;
    ExpectViolation(call, "retry.initial_backoff");
    call = Call();
    call.retry.backoff.max = bad;
    ExpectViolation(call, "retry.max_backoff");
  }
  for (int bad : {0, 200, 299, 600}) {
    FanOutCall call = Call();
    call.retry.statuses = {503, bad};
    ExpectViolation(call, "retry.statuses[1]");
  }
  FanOutCall call = Call();
  call.retry.statuses = std::vector<int>(65, 503);
  ExpectViolation(call, "retry.statuses");
}

TEST_F(RefusalTest, LimitFields) {
  for (absl::Duration bad : {-absl::Seconds(1), absl::Microseconds(999),
                             absl::Minutes(11), absl::InfiniteDuration()}) {
    FanOutCall call = Call();
    call.attempt_timeout = bad;
    ExpectViolation(call, "attempt_timeout");
  }
  FanOutCall call = Call();
  call.max_concurrency = -1;
  ExpectViolation(call, "max_concurrency");
  call = Call();
  call.max_answer_bytes = options_.max_answer_bytes + 1;
  ExpectViolation(call, "max_answer_bytes");
  call = Call();
  call.customer_name = "a\nb";
  ExpectViolation(call, "customer_name");
}

TEST_F(RefusalTest, SeveralBadFieldsAreAllNamed) {
  FanOutCall call = Call();
  call.path = "x";
  call.max_concurrency = -1;
  auto sink = Start(call);
  const ErrorDetail detail = DetailOf(*sink->refusal);
  ASSERT_EQ(detail.violations.size(), 2u);
  EXPECT_EQ(detail.violations[0].field, "http.path");
  EXPECT_EQ(detail.violations[1].field, "max_concurrency");
}

}  // namespace
}  // namespace coord
