// Every expected node is accounted for, once; and what the verdict says.
#include "tests/unit/fanout/fan_out_fixture.h"

namespace coord {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class AccountingTest : public FanOutTest {};

std::vector<std::string> Ids(const std::vector<NodeOutcome>& outcomes) {
  std::vector<std::string> ids;
  for (const NodeOutcome& outcome : outcomes) ids.push_back(outcome.server_id);
  return ids;
}

TEST_F(AccountingTest, AllAnswerIsComplete) {
  SetMembers(3);
  auto sink = Start(Call());
  ASSERT_EQ(transport_.requests.size(), 3u);
  EXPECT_EQ(transport_.requests[0].ToString(),
            "GET http://n0:8080/base/things");
  for (const char* id : {"n2", "n0"}) Answer(id, absl::StrCat("\"", id, "\""));
  EXPECT_FALSE(sink->ended());
  Answer("n1", "[1,2]");

  ASSERT_TRUE(sink->answer.has_value());
  const FanOutSummary& summary = sink->answer->summary;
  EXPECT_EQ(summary.verdict, Verdict::kComplete);
  EXPECT_TRUE(summary.policy_met);
  EXPECT_EQ(summary.expected, 3);
  EXPECT_EQ(summary.results, 3);
  EXPECT_EQ(summary.failures, 0);
  EXPECT_EQ(summary.skipped, 0);
  EXPECT_EQ(summary.cluster_id, kCluster);
  EXPECT_EQ(summary.revision,
            membership_.Snapshot(kType, "").value()->revision);
  EXPECT_EQ(sink->answer->data_json, R"(["n0",1,2,"n2"])");
  EXPECT_THAT(Ids(sink->answer->outcomes), ElementsAre("n0", "n1", "n2"));
  EXPECT_EQ(engine().calls_in_flight(), 0);
  EXPECT_EQ(loop_.timers(), 0u);
}

TEST_F(AccountingTest, AloneInTheClusterIsCompleteWithNothing) {
  SetMembers(1);
  FanOutCall call = Call();
  call.origin_server_id = "n0";
  auto sink = Start(call);
  ASSERT_TRUE(sink->answer.has_value());
  EXPECT_EQ(sink->answer->summary.verdict, Verdict::kComplete);
  EXPECT_TRUE(sink->answer->summary.policy_met);
  EXPECT_EQ(sink->answer->summary.expected, 0);
  EXPECT_EQ(sink->answer->data_json, "[]");
  EXPECT_TRUE(transport_.requests.empty());
}

TEST_F(AccountingTest, OriginIsLeftOut) {
  SetMembers(3);
  FanOutCall call = Call();
  call.origin_server_id = "n1";
  auto sink = Start(call);
  EXPECT_FALSE(Waits("n1"));
  Answer("n0");
  Answer("n2");
  EXPECT_THAT(Ids(sink->answer->outcomes), ElementsAre("n0", "n2"));
}

TEST_F(AccountingTest, NoOriginLeavesNobodyOut) {
  SetMembers(2);
  Start(Call());
  EXPECT_EQ(transport_.requests.size(), 2u);
}

TEST_F(AccountingTest, SelectionNarrowsAndNamesThoseThatAreNoMembers) {
  SetMembers(4);
  FanOutCall call = Call();
  call.server_ids = {"n3", "ghost", "n0", "n3", "n1"};
  call.origin_server_id = "n1";
  auto sink = Start(call);
  EXPECT_EQ(transport_.requests.size(), 2u);
  Answer("n0");
  Answer("n3");
  ASSERT_TRUE(sink->answer.has_value());
  EXPECT_THAT(Ids(sink->answer->outcomes), ElementsAre("ghost", "n0", "n3"));
  EXPECT_THAT(OutcomeOf(*sink, "ghost"),
              FailedWith(FailureReason::kNotMember, Certainty::kNotSent));
  EXPECT_THAT(OutcomeOf(*sink, "ghost").message,
              HasSubstr("call ghost: not a member"));
  EXPECT_EQ(OutcomeOf(*sink, "ghost").attempts, 0);
  EXPECT_EQ(sink->answer->summary.verdict, Verdict::kPartial);
  EXPECT_EQ(sink->answer->summary.expected, 3);
}

TEST_F(AccountingTest, DrainingServersAreSkipped) {
  std::vector<Server> servers = {MakeServer("n0"), MakeServer("n1")};
  servers[0].state = ServerState::kDraining;
  SetMembers(servers);
  auto sink = Start(Call());
  EXPECT_EQ(transport_.requests.size(), 1u);
  Answer("n1");
  EXPECT_THAT(OutcomeOf(*sink, "n0"),
              SkippedFor(SkipReason::kDraining, Certainty::kNotSent));
  EXPECT_EQ(sink->answer->summary.verdict, Verdict::kPartial);
  EXPECT_TRUE(sink->answer->summary.policy_met);
  EXPECT_EQ(sink->answer->summary.skipped, 1);
}

TEST_F(AccountingTest, SuspectedServersAreCalled) {
  std::vector<Server> servers = {MakeServer("n0")};
  servers[0].state = ServerState::kSuspected;
  SetMembers(servers);
  Start(Call());
  EXPECT_TRUE(Waits("n0"));
}

TEST_F(AccountingTest, LaterChangesDoNotAlterWhoIsExpected) {
  SetMembers(2);
  auto sink = Start(Call());
  SetMembers({MakeServer("n1"), MakeServer("n7")});
  Answer("n0");
  Answer("n1");
  EXPECT_THAT(Ids(sink->answer->outcomes), ElementsAre("n0", "n1"));
  EXPECT_EQ(sink->answer->summary.verdict, Verdict::kComplete);
}

TEST_F(AccountingTest, NobodySucceedsIsNone) {
  SetMembers(2);
  auto sink = Start(Call());
  AnswerStatus("n0", 404);
  AnswerStatus("n1", 404);
  EXPECT_EQ(sink->answer->summary.verdict, Verdict::kNone);
  EXPECT_EQ(sink->answer->data_json, "[]");
}

TEST_F(AccountingTest, BaseUrlThatCanNotBeUsedIsAFailureOfItsNode) {
  std::vector<Server> servers = {MakeServer("n0"), MakeServer("n1")};
  servers[0].cluster_base_url = "ftp://n0";
  SetMembers(servers);
  auto sink = Start(Call());
  Answer("n1");
  EXPECT_THAT(OutcomeOf(*sink, "n0"),
              FailedWith(FailureReason::kUnreachable, Certainty::kNotSent));
  EXPECT_TRUE(suspicions_.suspects.empty());
}

TEST_F(AccountingTest, AllAndMajorityWaitForEveryNode) {
  SetMembers(3);
  FanOutCall call = Call();
  call.policy.kind = CompletionPolicy::Kind::kMajority;
  auto sink = Start(call);
  Answer("n0");
  Answer("n1");
  EXPECT_FALSE(sink->ended());
  AnswerStatus("n2", 404);
  EXPECT_TRUE(sink->answer->summary.policy_met);

  call.policy.kind = CompletionPolicy::Kind::kAll;
  sink = Start(call);
  Answer("n0");
  Answer("n1");
  AnswerStatus("n2", 404);
  EXPECT_FALSE(sink->answer->summary.policy_met);
  EXPECT_EQ(sink->answer->summary.verdict, Verdict::kPartial);
}

TEST_F(AccountingTest, StrangersCountAgainstAllAndMajority) {
  SetMembers(1);
  FanOutCall call = Call();
  call.server_ids = {"n0", "ghost"};
  for (auto kind :
       {CompletionPolicy::Kind::kAll, CompletionPolicy::Kind::kMajority}) {
    call.policy.kind = kind;
    auto sink = Start(call);
    Answer("n0");
    ASSERT_TRUE(sink->answer.has_value());
    EXPECT_FALSE(sink->answer->summary.policy_met);
  }
}

TEST_F(AccountingTest, FirstEndsEarlyAndSkipsTheRest) {
  SetMembers(4);
  FanOutCall call = Call();
  call.policy = {CompletionPolicy::Kind::kFirst, 1};
  call.max_concurrency = 3;
  auto sink = Start(call);
  AnswerStatus("n0", 404);
  EXPECT_FALSE(sink->ended());
  transport_.requests[At("n2")].sent = false;
  Answer("n1");
  ASSERT_TRUE(sink->answer.has_value());
  EXPECT_TRUE(sink->answer->summary.policy_met);
  EXPECT_EQ(sink->answer->summary.verdict, Verdict::kPartial);
  EXPECT_THAT(OutcomeOf(*sink, "n2"),
              SkippedFor(SkipReason::kPolicyMet, Certainty::kNotSent));
  EXPECT_THAT(OutcomeOf(*sink, "n3"),
              SkippedFor(SkipReason::kPolicyMet, Certainty::kMaybeExecuted));
  EXPECT_TRUE(OutcomeOf(*sink, "n3").message.empty());
  EXPECT_EQ(transport_.cancelled, 2);
  EXPECT_TRUE(transport_.requests.empty());
  EXPECT_EQ(loop_.timers(), 0u);
}

TEST_F(AccountingTest, FirstSkipsWhatHasNotStarted) {
  SetMembers(3);
  FanOutCall call = Call();
  call.policy = {CompletionPolicy::Kind::kFirst, 1};
  call.max_concurrency = 1;
  auto sink = Start(call);
  Answer("n0");
  EXPECT_THAT(OutcomeOf(*sink, "n2"),
              SkippedFor(SkipReason::kPolicyMet, Certainty::kNotSent));
  EXPECT_EQ(transport_.cancelled, 0);
}

TEST_F(AccountingTest, StreamDeliversEachOnceInOrderOfArrivalThenCounts) {
  std::vector<Server> servers = {MakeServer("n0"), MakeServer("n1"),
                                 MakeServer("n2")};
  servers[1].state = ServerState::kDraining;
  SetMembers(servers);
  FanOutCall call = Call();
  call.server_ids = {"n0", "n1", "n2", "ghost"};
  auto sink = Start(call, Delivery::kStreamed);
  EXPECT_THAT(Ids(sink->streamed), ElementsAre("ghost", "n1"));
  Answer("n2", "[2]");
  EXPECT_THAT(Ids(sink->streamed), ElementsAre("ghost", "n1", "n2"));
  EXPECT_FALSE(sink->ended());
  AnswerStatus("n0", 404);
  EXPECT_THAT(Ids(sink->streamed), ElementsAre("ghost", "n1", "n2", "n0"));
  ASSERT_TRUE(sink->answer.has_value());
  EXPECT_TRUE(sink->answer->outcomes.empty());
  EXPECT_TRUE(sink->answer->data_json.empty());
  EXPECT_EQ(sink->answer->summary.expected, 4);
  EXPECT_EQ(sink->answer->summary.results, 1);
  EXPECT_EQ(sink->answer->summary.failures, 2);
  EXPECT_EQ(sink->answer->summary.skipped, 1);
}

TEST_F(AccountingTest, RequestsAreOutBeforeAnythingIsTold) {
  struct WatchingSink final : FanOutSink {
    explicit WatchingSink(FakeTransport& t) : transport(t) {}
    std::size_t OnOutcome(NodeOutcome) override {
      sent_when_told.push_back(transport.requests.size());
      return 0;
    }
    void OnDone(FanOutAnswer) override {}
    void OnRefused(absl::Status) override {}
    FakeTransport& transport;
    std::vector<std::size_t> sent_when_told;
  };
  SetMembers(3);
  FanOutCall call = Call();
  call.server_ids = {"ghost", "n0", "n1", "n2"};
  auto sink = std::make_shared<WatchingSink>(transport_);
  engine().Start(call, Delivery::kStreamed, sink);
  loop_.RunPosted();
  EXPECT_THAT(sink->sent_when_told, ElementsAre(3u));
}

TEST_F(AccountingTest, StreamTellsBodiesSinceNothingIsSpliced) {
  SetMembers(1);
  FanOutCall call = Call();
  auto sink = Start(call, Delivery::kStreamed);
  Answer("n0", "[2]");
  EXPECT_THAT(OutcomeOf(*sink, "n0").body, HasSubstr("\"data\":[2]"));
  call.body_view = BodyView::kNone;
  sink = Start(call, Delivery::kStreamed);
  Answer("n0", "[2]");
  EXPECT_EQ(OutcomeOf(*sink, "n0").body, "");
}

TEST_F(AccountingTest, ObserverHearsOfEverything) {
  SetMembers(2);
  Start(Call());
  Answer("n0");
  AnswerStatus("n1", 404);
  EXPECT_EQ(observer_.started, 1);
  EXPECT_EQ(observer_.ended, 1);
  EXPECT_EQ(observer_.outcomes, 2);
  FanOutCall call = Call();
  call.path = "x";
  Start(call);
  EXPECT_EQ(observer_.refused, 1);
  EXPECT_EQ(observer_.started, 1);
}

// Sent, not sent, and between two attempts: the last failure stands.
TEST_F(AccountingTest, AStopAccountsForEveryServer) {
  SetMembers(3);
  FanOutCall call = Call();
  call.max_concurrency = 2;
  auto sink = Start(call);
  AnswerStatus("n0", 503);
  ASSERT_TRUE(Waits("n1"));
  transport_.requests.at(At("n2")).sent = false;
  engine().Stop();
  loop_.RunPosted();
  ASSERT_TRUE(sink->answer.has_value());
  EXPECT_EQ(sink->answer->outcomes.size(), 3u);
  EXPECT_THAT(OutcomeOf(*sink, "n0"),
              FailedWith(FailureReason::kHttpStatus, Certainty::kAnswered));
  EXPECT_THAT(OutcomeOf(*sink, "n1"),
              FailedWith(FailureReason::kCancelled, Certainty::kMaybeExecuted));
  EXPECT_EQ(OutcomeOf(*sink, "n1").message,
            "call n1: this clusterd is shutting down");
  EXPECT_THAT(OutcomeOf(*sink, "n2"),
              FailedWith(FailureReason::kCancelled, Certainty::kNotSent));
  EXPECT_EQ(engine().calls_in_flight(), 0);
  EXPECT_EQ(loop_.timers(), 0u);
}

}  // namespace
}  // namespace coord
