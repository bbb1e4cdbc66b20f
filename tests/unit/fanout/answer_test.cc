// What an answer is worth: identity, bodies, the aggregate.
#include "server/http/proxy_status.h"
#include "tests/support/packed.h"
#include "tests/unit/fanout/fan_out_fixture.h"

namespace coord {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class AnswerTest : public FanOutTest {
 protected:
  // One node's answer as the outcome of a whole call.
  NodeOutcome OutcomeFor(FanOutCall call, int status, std::string body,
                         std::string content_type = "application/json") {
    sink_ = Start(std::move(call));
    transport_.Answer(status, std::move(body), 0, std::move(content_type));
    EXPECT_TRUE(sink_->answer.has_value());
    return sink_->answer ? sink_->answer->outcomes.at(0) : NodeOutcome();
  }
  NodeOutcome OutcomeFor(int status, std::string body,
                         std::string content_type = "application/json") {
    return OutcomeFor(Call(), status, std::move(body), std::move(content_type));
  }
  std::string Data() const { return sink_->answer->data_json; }

  void SetNodeApiMember() {
    Server server = MakeServer("n0");
    server.node_api = NodeApi::kYes;
    SetMembers({server});
  }

  std::shared_ptr<RecordingSink> sink_;
};

constexpr char kAnonymous[] = R"({"data":1})";
constexpr char kNamed[] = R"({"data":1,"server":{"serverId":"n0"}})";
constexpr char kOther[] = R"({"data":1,"server":{"serverId":"n9"}})";

auto IsWrongServer() {
  return FailedWith(FailureReason::kWrongServer, Certainty::kAnswered);
}

TEST_F(AnswerTest, ServerWithoutNodeApiNeedNotNameItself) {
  SetMembers(1);
  EXPECT_TRUE(IsResult(OutcomeFor(200, kAnonymous)));
  EXPECT_TRUE(IsResult(OutcomeFor(200, kNamed)));
  const NodeOutcome wrong = OutcomeFor(200, kOther);
  EXPECT_THAT(wrong, IsWrongServer());
  EXPECT_EQ(wrong.http_status, 200);
  EXPECT_EQ(wrong.message, "call n0: n9 answered in its place");
  EXPECT_EQ(wrong.body, kOther);
  EXPECT_EQ(Data(), "[]");
}

TEST_F(AnswerTest, ServerWithNodeApiMustNameItself) {
  SetNodeApiMember();
  EXPECT_TRUE(IsResult(OutcomeFor(200, kNamed)));
  EXPECT_THAT(OutcomeFor(200, kOther), IsWrongServer());
  const NodeOutcome anonymous = OutcomeFor(200, kAnonymous);
  EXPECT_THAT(anonymous, IsWrongServer());
  EXPECT_EQ(anonymous.message, "call n0: its answer does not name the server");
  EXPECT_THAT(OutcomeFor(200, "hello", "text/plain"), IsWrongServer());
  EXPECT_THAT(OutcomeFor(204, "", ""), IsWrongServer());
}

// As mIT tells of it: every clusterd under one authority must judge it alike,
// and only one of them registered it.
TEST_F(AnswerTest, ServerWhoseNodeApiIsUnknownIsCheckedIfItNamesItself) {
  Server server = MakeServer("n0");
  server.node_api = NodeApi::kUnknown;
  SetMembers({server});
  EXPECT_TRUE(IsResult(OutcomeFor(200, kNamed)));
  EXPECT_THAT(OutcomeFor(200, kOther), IsWrongServer());
  EXPECT_THAT(suspicions_.nameless, IsEmpty());
  EXPECT_TRUE(IsResult(OutcomeFor(200, kAnonymous)));
  EXPECT_THAT(suspicions_.nameless, ElementsAre("n0"));
  EXPECT_TRUE(IsResult(OutcomeFor(200, "hello", "text/plain")));
  EXPECT_THAT(suspicions_.nameless, ElementsAre("n0", "n0"));

  // Where the check does not depend on it, nobody needs to know.
  FanOutCall call = Call();
  call.identity_check = IdentityCheck::kIfPresent;
  EXPECT_TRUE(IsResult(OutcomeFor(call, 200, kAnonymous)));
  call.identity_check = IdentityCheck::kRequired;
  EXPECT_THAT(OutcomeFor(call, 200, kAnonymous), IsWrongServer());
  EXPECT_THAT(suspicions_.nameless, testing::SizeIs(2));
}

TEST_F(AnswerTest, NamelessResultsOfOthersAreNobodysConcern) {
  SetMembers(1);
  EXPECT_TRUE(IsResult(OutcomeFor(200, kAnonymous)));
  SetNodeApiMember();
  EXPECT_THAT(OutcomeFor(200, kAnonymous), IsWrongServer());
  EXPECT_THAT(suspicions_.nameless, IsEmpty());
}

TEST_F(AnswerTest, IdentityCheckCanBeChosen) {
  SetNodeApiMember();
  FanOutCall call = Call();
  call.identity_check = IdentityCheck::kIfPresent;
  EXPECT_TRUE(IsResult(OutcomeFor(call, 200, kAnonymous)));
  EXPECT_THAT(OutcomeFor(call, 200, kOther), IsWrongServer());
  call.identity_check = IdentityCheck::kOff;
  EXPECT_TRUE(IsResult(OutcomeFor(call, 200, kAnonymous)));
  EXPECT_TRUE(IsResult(OutcomeFor(call, 200, kOther)));
  SetMembers(1);
  call.identity_check = IdentityCheck::kRequired;
  EXPECT_THAT(OutcomeFor(call, 200, kAnonymous), IsWrongServer());
  EXPECT_THAT(OutcomeFor(call, 200, kOther), IsWrongServer());
}

TEST_F(AnswerTest, NameThatIsNoServerIdIsNotRepeated) {
  SetMembers(1);
  const NodeOutcome outcome =
      OutcomeFor(200, R"({"server":{"serverId":"a\nb"}})");
  EXPECT_EQ(outcome.message, "call n0: another server answered in its place");
}

TEST_F(AnswerTest, TopLevelStatusCodeMakesItAnError) {
  SetMembers(1);
  const NodeOutcome outcome =
      OutcomeFor(200, R"({"statusCode":404,"title":"x","data":1})");
  EXPECT_THAT(outcome,
              FailedWith(FailureReason::kHttpStatus, Certainty::kAnswered));
  EXPECT_EQ(outcome.http_status, 200);
  EXPECT_THAT(outcome.message, HasSubstr("statusCode"));
  EXPECT_EQ(Data(), "[]");
}

TEST_F(AnswerTest, OtherStatusesAreFailuresWithTheirBodies) {
  SetMembers(1);
  for (int status : {301, 302, 304, 307, 400, 404, 409, 418, 499}) {
    const NodeOutcome outcome = OutcomeFor(status, R"({"statusCode":1})");
    EXPECT_THAT(outcome,
                FailedWith(FailureReason::kHttpStatus, Certainty::kAnswered));
    EXPECT_EQ(outcome.http_status, status);
    EXPECT_EQ(outcome.body, R"({"statusCode":1})");
    EXPECT_EQ(outcome.headers.size(), 1u);
    EXPECT_EQ(outcome.attempts, 1);
    EXPECT_EQ(outcome.message, absl::StrCat("call n0: answered ", status));
  }
}

TEST_F(AnswerTest, AnswerThatIsNotJsonIsAResultThatAddsNothing) {
  SetMembers(1);
  const NodeOutcome text = OutcomeFor(200, "{\"data\":1}", "text/plain");
  EXPECT_TRUE(IsResult(text));
  EXPECT_EQ(text.body, "{\"data\":1}");
  EXPECT_EQ(Data(), "[]");
  EXPECT_TRUE(IsResult(OutcomeFor(200, "\xff", "")));
}

TEST_F(AnswerTest, JsonWithoutDataIsAResultThatAddsNothing) {
  SetMembers(1);
  const NodeOutcome outcome = OutcomeFor(201, R"({"a":1})");
  EXPECT_TRUE(IsResult(outcome));
  EXPECT_EQ(outcome.body, R"({"a":1})");
  EXPECT_EQ(outcome.http_status, 201);
  EXPECT_EQ(outcome.certainty, Certainty::kAnswered);
  EXPECT_EQ(Data(), "[]");
}

TEST_F(AnswerTest, AnswersWithoutContentAreResults) {
  SetMembers(1);
  EXPECT_TRUE(IsResult(OutcomeFor(204, "", "")));
  EXPECT_TRUE(IsResult(OutcomeFor(204, "")));
  EXPECT_TRUE(IsResult(OutcomeFor(205, "")));
  FanOutCall head = Call();
  head.method = "HEAD";
  EXPECT_TRUE(IsResult(OutcomeFor(head, 200, "")));
}

TEST_F(AnswerTest, JsonThatDoesNotParseIsBadBody) {
  SetMembers(1);
  for (std::string body :
       {"{", "{\"data\":1}x", "{\"data\":\"\xff\"}", "{\"data\":[1,]}"}) {
    const NodeOutcome outcome = OutcomeFor(200, body);
    EXPECT_THAT(outcome,
                FailedWith(FailureReason::kBadBody, Certainty::kAnswered))
        << body;
    EXPECT_EQ(outcome.body, body);
    EXPECT_EQ(Data(), "[]");
  }
}

TEST_F(AnswerTest, AnnouncedJsonWithoutABodyIsAResultThatAddsNothing) {
  SetMembers(1);
  EXPECT_TRUE(IsResult(OutcomeFor(200, "")));
  EXPECT_EQ(Data(), "[]");
}

TEST_F(AnswerTest, NearlyJsonIsReadAsItsWriterMeantIt) {
  SetMembers(1);
  EXPECT_TRUE(IsResult(OutcomeFor(200, "\xef\xbb\xbf{\"data\":1}")));
  EXPECT_EQ(Data(), "[1]");
  EXPECT_TRUE(IsResult(OutcomeFor(200, R"({"data":"\ud83d"})")));
  EXPECT_EQ(Data(), R"(["\ufffd"])");
}

class CodedAnswerTest : public AnswerTest {
 protected:
  void SetUp() override {
    SetMembers(1);
    options_.max_node_answer_bytes = 1000;
  }
  NodeOutcome CodedOutcome(FanOutCall call, int status, std::string coding,
                           std::string body) {
    sink_ = Start(std::move(call));
    transport_.Finish(HttpResponse{status,
                                   {{"Content-Type", "application/json"},
                                    {"Content-Encoding", std::move(coding)}},
                                   std::move(body)});
    EXPECT_TRUE(sink_->answer.has_value());
    return sink_->answer ? sink_->answer->outcomes.at(0) : NodeOutcome();
  }
};

TEST_F(CodedAnswerTest, IsUnpackedWhateverItsStatus) {
  EXPECT_TRUE(IsResult(CodedOutcome(Call(), 200, "gzip", Gzip(kAnonymous))));
  EXPECT_EQ(Data(), "[1]");
  const NodeOutcome error =
      CodedOutcome(Call(), 404, "gzip", Gzip(R"({"statusCode":404})"));
  EXPECT_EQ(error.body, R"({"statusCode":404})");
  EXPECT_EQ(error.headers.size(), 1u);
  const NodeOutcome cut = CodedOutcome(Call(), 404, "gzip", "\x1f\x8b");
  EXPECT_EQ(cut.body, "\x1f\x8b");
  EXPECT_EQ(cut.headers.size(), 2u);
}

TEST_F(CodedAnswerTest, UnknownCodingsHideNothingThatCanBeRead) {
  EXPECT_TRUE(IsResult(CodedOutcome(Call(), 200, "utf-8", kAnonymous)));
  EXPECT_EQ(Data(), "[1]");
}

TEST_F(CodedAnswerTest, WhatCannotBeReadIsBadBody) {
  for (const auto& [coding, message] :
       {std::pair("gzip",
                  "call n0: its answer is not the gzip that it "
                  "announces"),
        {"br",
         "call n0: its answer is in a content coding that is not known "
         "here"}}) {
    const NodeOutcome outcome = CodedOutcome(Call(), 200, coding, "\x1f\x8b");
    EXPECT_THAT(outcome,
                FailedWith(FailureReason::kBadBody, Certainty::kAnswered));
    EXPECT_EQ(outcome.message, message);
    EXPECT_EQ(outcome.body, "\x1f\x8b");
    EXPECT_EQ(outcome.headers.size(), 2u);
  }
}

TEST_F(CodedAnswerTest, WhoAsksForACodingGetsIt) {
  FanOutCall call = Call();
  call.headers = {{"Accept-Encoding", "br"}};
  const NodeOutcome outcome = CodedOutcome(call, 200, "br", "\x1f\x8b");
  EXPECT_TRUE(IsResult(outcome));
  EXPECT_EQ(outcome.body, "\x1f\x8b");
  EXPECT_THAT(CodedOutcome(call, 200, "gzip", "\x1f\x8b"),
              FailedWith(FailureReason::kBadBody, Certainty::kAnswered));
}

TEST_F(CodedAnswerTest, ABombIsTooLarge) {
  const NodeOutcome outcome =
      CodedOutcome(Call(), 200, "gzip", Gzip(std::string(1 << 20, ' ')));
  EXPECT_THAT(outcome,
              FailedWith(FailureReason::kTooLarge, Certainty::kAnswered));
  EXPECT_EQ(outcome.message,
            "call n0: its answer is over 1000 bytes once unpacked");
}

TEST_F(AnswerTest, APartOfJsonIsAResultThatAddsNothing) {
  SetMembers(1);
  const NodeOutcome part = OutcomeFor(206, "{\"data\":[1,");
  EXPECT_TRUE(IsResult(part));
  EXPECT_EQ(part.body, "{\"data\":[1,");
  EXPECT_EQ(Data(), "[]");
}

TEST_F(AnswerTest, WhatAProxyOfOursFoundWrongIsTheReason) {
  SetMembers(1);
  const auto failure = [this](int status, ProxyFault fault) {
    auto sink = Start(Call());
    transport_.Finish(HttpResponse{status, {ProxyStatusOf(fault)}, "why"});
    return sink->answer->outcomes.at(0);
  };
  const NodeOutcome large = failure(413, ProxyFault::kTooLarge);
  EXPECT_THAT(large,
              FailedWith(FailureReason::kTooLarge, Certainty::kAnswered));
  EXPECT_EQ(large.http_status, 413);
  EXPECT_EQ(large.body, "why");
  EXPECT_EQ(large.message,
            "call n0: answered 413: its service's answer is too large");
  const NodeOutcome bad = failure(406, ProxyFault::kUnreadable);
  EXPECT_THAT(bad, FailedWith(FailureReason::kBadBody, Certainty::kAnswered));
  EXPECT_EQ(bad.message,
            "call n0: answered 406: its service's answer can't be read");
}

TEST_F(AnswerTest, NullIsAppendedAndAnEmptyArrayIsNot) {
  SetMembers(3);
  auto sink = Start(Call());
  Answer("n0", "[]");
  Answer("n1", "null");
  Answer("n2", "{\"a\":[]}");
  EXPECT_EQ(sink->answer->data_json, R"([null,{"a":[]}])");
}

TEST_F(AnswerTest, BodyViewDecidesWhichBodiesComeBack) {
  SetMembers(2);
  const auto bodies = [&](BodyView view) {
    FanOutCall call = Call();
    call.body_view = view;
    auto sink = Start(call);
    Answer("n0", "[7]");
    transport_.Answer(200, "text", 0, "text/plain");
    EXPECT_EQ(sink->answer->data_json, "[7]");
    return absl::StrCat(!OutcomeOf(*sink, "n0").body.empty(), "/",
                        OutcomeOf(*sink, "n1").body);
  };
  EXPECT_EQ(bodies(BodyView::kNotSpliced), "0/text");
  EXPECT_EQ(bodies(BodyView::kAll), "1/text");
  EXPECT_EQ(bodies(BodyView::kNone), "0/");
}

TEST_F(AnswerTest, SmallSliceOfALargeBodyIsSplicedAsWell) {
  SetMembers(2);
  auto sink = Start(Call());
  const std::string padding(5000, 'x');
  transport_.Answer(
      200, absl::StrCat("{\"x\":\"", padding, "\",\"data\":[1, 2 ]}"), 0);
  transport_.Answer(
      200, absl::StrCat("{\"data\":\"y\",\"x\":\"", padding, "\"}"), 0);
  EXPECT_EQ(sink->answer->data_json, "[1, 2,\"y\"]");
  EXPECT_EQ(OutcomeOf(*sink, "n0").body, "");
}

TEST_F(AnswerTest, TransportFailuresHaveTheirReasons) {
  SetMembers(1);
  using Kind = HttpError::Kind;
  const auto outcome = [&](Kind kind, bool sent) {
    FanOutCall call = Call();
    call.retry.max_attempts = 1;
    auto sink = Start(call);
    transport_.Fail(kind, sent);
    return sink->answer->outcomes.at(0);
  };
  EXPECT_THAT(outcome(Kind::kUnreachable, false),
              FailedWith(FailureReason::kUnreachable, Certainty::kNotSent));
  EXPECT_THAT(
      outcome(Kind::kConnectionLost, true),
      FailedWith(FailureReason::kConnectionLost, Certainty::kMaybeExecuted));
  EXPECT_THAT(outcome(Kind::kTimeout, true),
              FailedWith(FailureReason::kTimeout, Certainty::kMaybeExecuted));
  EXPECT_THAT(outcome(Kind::kBadResponse, true),
              FailedWith(FailureReason::kBadBody, Certainty::kMaybeExecuted));
  EXPECT_THAT(outcome(Kind::kTooLarge, true),
              FailedWith(FailureReason::kTooLarge, Certainty::kMaybeExecuted));
  for (const Kind kind : {Kind::kOverloaded, Kind::kUnresolved}) {
    EXPECT_THAT(outcome(kind, false),
                FailedWith(FailureReason::kUnreachable, Certainty::kNotSent));
  }
}

TEST_F(AnswerTest, UnusableAnswerIsAnAnswer) {
  SetMembers(1);
  auto sink = Start(Call());
  transport_.Finish(HttpError{HttpError::Kind::kTooLarge, true, true, "big"});
  EXPECT_THAT(sink->answer->outcomes.at(0),
              FailedWith(FailureReason::kTooLarge, Certainty::kAnswered));
  EXPECT_EQ(sink->answer->outcomes.at(0).message, "call n0: big");
}

TEST_F(AnswerTest, ResultThatFindsNoRoomInTheAggregateIsTooLarge) {
  SetMembers(3);
  FanOutCall call = Call();
  call.max_answer_bytes = 3000;
  auto sink = Start(call);
  const std::string large = absl::StrCat("\"", std::string(2000, 'x'), "\"");
  Answer("n1", large);
  Answer("n0", large);
  Answer("n2", "2");
  ASSERT_TRUE(sink->answer.has_value());
  const NodeOutcome& outcome = OutcomeOf(*sink, "n0");
  EXPECT_THAT(outcome,
              FailedWith(FailureReason::kTooLarge, Certainty::kAnswered));
  EXPECT_EQ(outcome.http_status, 200);
  EXPECT_EQ(outcome.body, "");
  EXPECT_TRUE(outcome.headers.empty());
  EXPECT_THAT(outcome.message, HasSubstr("3000 bytes of the aggregate"));
  EXPECT_EQ(sink->answer->data_json, absl::StrCat("[", large, ",2]"));
  EXPECT_EQ(sink->answer->summary.verdict, Verdict::kPartial);
  EXPECT_EQ(sink->answer->summary.results, 2);
}

TEST_F(AnswerTest, FailureThatFindsNoRoomKeepsItsReasonWithoutBody) {
  SetMembers(1);
  FanOutCall call = Call();
  call.max_answer_bytes = 500;
  const NodeOutcome outcome = OutcomeFor(call, 404, std::string(600, 'x'));
  EXPECT_THAT(outcome,
              FailedWith(FailureReason::kHttpStatus, Certainty::kAnswered));
  EXPECT_EQ(outcome.http_status, 404);
  EXPECT_EQ(outcome.body, "");
  EXPECT_THAT(outcome.message, HasSubstr("does not fit"));
}

TEST_F(AnswerTest, CallWhoseLeastAnswerIsOverTheLimitIsRefused) {
  SetMembers(10);
  FanOutCall call = Call();
  call.max_answer_bytes = 300;
  auto sink = Start(call);
  ASSERT_TRUE(sink->refusal.has_value());
  EXPECT_TRUE(HasReason(*sink->refusal, Reason::kAnswerTooLarge));
  EXPECT_EQ(sink->refusal->message(),
            "call cluster cluster-1: to tell of 10 servers takes 413 bytes, "
            "more than the answer's limit of 300: ask for more by "
            "max_answer_bytes, for fewer servers, or for a stream");
  EXPECT_TRUE(transport_.requests.empty());
  EXPECT_EQ(engine().calls_in_flight(), 0);
  EXPECT_FALSE(Start(call, Delivery::kStreamed)->refusal.has_value());
}

TEST_F(AnswerTest, LongMessagesAreCutBeforeOutcomesAreLost) {
  SetMembers(10);
  FanOutCall call = Call();
  call.max_answer_bytes = 1500;
  call.retry.max_attempts = 1;
  auto sink = Start(call);
  for (int i = 0; i < 10; ++i) {
    transport_.Finish(
        HttpError{HttpError::Kind::kUnreachable, false, false,
                  absl::StrCat("no way ", std::string(500, '-'))});
  }
  ASSERT_TRUE(sink->answer.has_value());
  std::size_t size = format_->SizeOf(sink->answer->summary, 2);
  for (const NodeOutcome& outcome : sink->answer->outcomes) {
    EXPECT_THAT(outcome,
                FailedWith(FailureReason::kUnreachable, Certainty::kNotSent));
    EXPECT_THAT(outcome.message,
                AllOf(testing::StartsWith(
                          absl::StrCat("call ", outcome.server_id, ": no way")),
                      testing::EndsWith("…")));
    size += format_->SizeOf(outcome);
  }
  EXPECT_EQ(sink->answer->outcomes.size(), 10u);
  EXPECT_LE(size, 1500u);
}

TEST_F(AnswerTest, AddressesAreToldOfAllOrOfNone) {
  const auto addresses = [this](std::size_t limit) {
    FanOutCall call = Call();
    call.max_answer_bytes = limit;
    call.method = "POST";
    auto sink = Start(call);
    while (!transport_.requests.empty()) {
      transport_.Fail(HttpError::Kind::kConnectionLost, true);
    }
    int told = 0;
    for (const NodeOutcome& outcome : sink->answer->outcomes) {
      told += !outcome.cluster_base_url.empty();
    }
    return told;
  };
  SetMembers(10);
  EXPECT_EQ(addresses(2000), 10);
  EXPECT_EQ(addresses(1000), 0);
}

TEST_F(AnswerTest, MessageOfAStreamIsLimitedAsAnAggregateIs) {
  SetMembers(2);
  options_.default_answer_bytes = 1000;
  auto sink = Start(Call(), Delivery::kStreamed);
  const std::string large = absl::StrCat("\"", std::string(1000, 'x'), "\"");
  Answer("n0", large);
  Answer("n1", "1");
  EXPECT_THAT(OutcomeOf(*sink, "n0"),
              FailedWith(FailureReason::kTooLarge, Certainty::kAnswered));
  EXPECT_THAT(OutcomeOf(*sink, "n0").message,
              HasSubstr("does not fit into the 1000 bytes"));
  EXPECT_TRUE(IsResult(OutcomeOf(*sink, "n1")));

  FanOutCall call = Call();
  call.max_answer_bytes = 3000;
  sink = Start(call, Delivery::kStreamed);
  Answer("n0", large);
  EXPECT_TRUE(IsResult(OutcomeOf(*sink, "n0")));
}

TEST_F(AnswerTest, StreamHasNoAggregateLimit) {
  SetMembers(2);
  FanOutCall call = Call();
  call.max_answer_bytes = 10;
  auto sink = Start(call, Delivery::kStreamed);
  Answer("n0", "\"0123456789\"");
  Answer("n1", "\"0123456789\"");
  EXPECT_EQ(sink->answer->summary.results, 2);
}

TEST_F(AnswerTest, NodeAnswerLimitGoesToTheTransport) {
  SetMembers(1);
  options_.max_node_answer_bytes = 777;
  Start(Call());
  EXPECT_EQ(transport_.requests[0].request.max_body_bytes, 777u);
}

}  // namespace
}  // namespace coord
