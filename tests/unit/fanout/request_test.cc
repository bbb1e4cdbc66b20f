// What is sent to each node.
#include "tests/unit/fanout/fan_out_fixture.h"

namespace coord {
namespace {

using testing::HasSubstr;
using testing::Not;

class RequestTest : public FanOutTest {
 protected:
  void SetUp() override { SetMembers(2); }
  std::string TailFor(FanOutCall call) {
    Start(std::move(call));
    std::string tail = *transport_.requests[0].request.tail;
    handle_->Cancel();
    loop_.RunPosted();
    return tail;
  }
};

TEST_F(RequestTest, HeadersThatTheCallerLeavesToUs) {
  FanOutCall call = Call();
  call.correlation_id = "abc@4/D";
  const std::string tail = TailFor(call);
  EXPECT_THAT(tail, HasSubstr("accept: application/json\r\n"));
  EXPECT_THAT(tail, HasSubstr("accept-encoding: identity\r\n"));
  EXPECT_THAT(tail, HasSubstr("user-agent: clusterd\r\n"));
  EXPECT_THAT(tail, HasSubstr("x-correlation-id: abc@5/D\r\n"));
  EXPECT_THAT(tail, Not(HasSubstr("content-type")));
}

TEST_F(RequestTest, CallersHeadersWinWhateverTheirLetterCase) {
  FanOutCall call = Call();
  call.body = "{}";
  call.headers = {{"Accept", "text/plain"},     {"Accept-Encoding", "gzip"},
                  {"Content-Type", "text/csv"}, {"User-Agent", "me"},
                  {"X-Correlation-Id", "mine"}, {"x-more", "1"}};
  const std::string tail = TailFor(call);
  for (const char* line :
       {"Accept: text/plain\r\n", "Accept-Encoding: gzip\r\n",
        "Content-Type: text/csv\r\n", "User-Agent: me\r\n",
        "X-Correlation-Id: mine\r\n", "x-more: 1\r\n"}) {
    EXPECT_THAT(tail, HasSubstr(line));
  }
  for (const char* ours : {"application/json", "identity", "clusterd", "@"}) {
    EXPECT_THAT(tail, Not(HasSubstr(ours)));
  }
}

TEST_F(RequestTest, CorrelationIdIsMadeUpWhereThereIsNone) {
  const std::string tail = TailFor(Call());
  EXPECT_THAT(tail, testing::ContainsRegex(
                        "x-correlation-id: [0-9a-f-]{36}@0/20[0-9]{2}-"));
  EXPECT_NE(tail, TailFor(Call()));
}

TEST_F(RequestTest, BodyIsJsonUnlessSaidOtherwise) {
  FanOutCall call = Call();
  call.method = "POST";
  call.body = R"({"a":1})";
  const std::string tail = TailFor(call);
  EXPECT_THAT(tail, HasSubstr("content-type: application/json\r\n"));
  EXPECT_TRUE(absl::EndsWith(tail, "\r\n\r\n{\"a\":1}"));
}

TEST_F(RequestTest, TailIsSharedByAllNodes) {
  Start(Call());
  EXPECT_EQ(transport_.requests[0].request.tail,
            transport_.requests[1].request.tail);
}

TEST_F(RequestTest, TargetIsBasePathPathAndQuery) {
  Server plain = MakeServer("n0");
  plain.cluster_base_url = "https://n0:1";
  SetMembers({plain, MakeServer("n1")});
  FanOutCall call = Call();
  call.query = "a=1";
  Start(call);
  EXPECT_EQ(transport_.requests[0].request.target, "/things?a=1");
  EXPECT_TRUE(transport_.requests[0].request.origin.tls);
  EXPECT_EQ(transport_.requests[1].request.target, "/base/things?a=1");
}

TEST_F(RequestTest, LanesTakeTurns) {
  ManualLoop other_loop;
  FakeTransport other(other_loop);
  FanOutEngine engine(options_, {{&loop_, &transport_}, {&other_loop, &other}},
                      membership_, nullptr, suspicions_, knowledge_, observer_,
                      *format_);
  for (int i = 0; i < 4; ++i) {
    engine.Start(Call(), Delivery::kAtOnce, std::make_shared<RecordingSink>());
  }
  loop_.RunPosted();
  other_loop.RunPosted();
  EXPECT_EQ(transport_.requests.size(), 4u);
  EXPECT_EQ(other.requests.size(), 4u);
}

constexpr char kTraceParent[] =
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST_F(RequestTest, TheCallersTraceGoesToEveryServer) {
  FanOutCall call = Call();
  call.trace = {kTraceParent, "rojo=1"};
  const std::string tail = TailFor(call);
  EXPECT_THAT(tail,
              HasSubstr(absl::StrCat("traceparent: ", kTraceParent, "\r\n")));
  EXPECT_THAT(tail, HasSubstr("tracestate: rojo=1\r\n"));

  call.trace.state = "";
  EXPECT_THAT(TailFor(call), Not(HasSubstr("tracestate")));
  EXPECT_THAT(TailFor(Call()), Not(HasSubstr("traceparent")));
}

TEST_F(RequestTest, ATraceAmongTheHeadersOfTheCallWins) {
  FanOutCall call = Call();
  call.trace = {kTraceParent, "rojo=1"};
  call.headers = {{"TraceParent", "mine"}};
  const std::string tail = TailFor(call);
  EXPECT_THAT(tail, HasSubstr("TraceParent: mine\r\n"));
  EXPECT_THAT(tail, Not(HasSubstr(kTraceParent)));
  EXPECT_THAT(tail, Not(HasSubstr("tracestate")));

  call.headers = {{"tracestate", "mine=2"}};
  const std::string state = TailFor(call);
  EXPECT_THAT(state, HasSubstr(kTraceParent));
  EXPECT_THAT(state, HasSubstr("tracestate: mine=2\r\n"));
  EXPECT_THAT(state, Not(HasSubstr("rojo")));
}

}  // namespace
}  // namespace coord
