// Whatever happens: every expected node is accounted for, once.
#include <random>
#include <set>

#include "tests/unit/fanout/fan_out_fixture.h"

namespace coord {
namespace {

class RandomCallTest : public FanOutTest,
                       public testing::WithParamInterface<unsigned> {
 protected:
  int Below(int n) {
    return std::uniform_int_distribution<int>(0, n - 1)(random_);
  }
  bool Chance(int percent) { return Below(100) < percent; }

  void RandomMembers() {
    std::vector<Server> servers;
    members_ = Below(9);
    for (int i = 0; i < members_; ++i) {
      Server server = MakeServer(absl::StrCat("n", i));
      server.node_api = static_cast<NodeApi>(Below(3));
      if (Chance(15)) server.state = ServerState::kDraining;
      if (Chance(5)) server.cluster_base_url = "nonsense";
      servers.push_back(std::move(server));
    }
    // So that the cluster exists even without others.
    servers.push_back(MakeServer("origin"));
    SetMembers(std::move(servers));
  }

  FanOutCall RandomCall() {
    FanOutCall call = Call();
    call.origin_server_id = "origin";
    call.method = Chance(50) ? "GET" : "POST";
    if (Chance(30)) {
      for (int i = Below(6); i >= 0; --i) {
        call.server_ids.push_back(absl::StrCat("n", Below(12)));
      }
    }
    call.policy.kind = static_cast<CompletionPolicy::Kind>(Below(5));
    call.policy.n = 1 + Below(4);
    call.retry.max_attempts = 1 + Below(4);
    call.body_view = static_cast<BodyView>(Below(3));
    call.identity_check = static_cast<IdentityCheck>(Below(4));
    if (Chance(50)) call.time_left = absl::Milliseconds(1 + Below(3000));
    if (Chance(50)) call.attempt_timeout = absl::Milliseconds(1 + Below(1000));
    if (Chance(50)) call.max_concurrency = 1 + Below(4);
    if (call.method == "GET" && Chance(50)) {
      call.hedge = HedgePolicy{absl::Milliseconds(1 + Below(200))};
    }
    if (Chance(30)) call.max_answer_bytes = 1 + Below(2000);
    return call;
  }

  // What the call must account for, by the words of the contract.
  std::set<std::string> ExpectedIds(const FanOutCall& call) {
    std::set<std::string> ids(call.server_ids.begin(), call.server_ids.end());
    if (ids.empty()) {
      for (int i = 0; i < members_; ++i) ids.insert(absl::StrCat("n", i));
    }
    return ids;
  }

  void RandomEvent() {
    if (!tokens_.waiting.empty() && Chance(70)) {
      tokens_.Give(Chance(80) ? absl::StatusOr<std::string>("token")
                              : absl::StatusOr<std::string>(
                                    absl::UnavailableError("down")));
      loop_.RunPosted();
      return;
    }
    if (transport_.requests.empty() || Chance(25)) {
      loop_.Advance(absl::Milliseconds(Below(400)));
      return;
    }
    const auto at = static_cast<std::size_t>(
        Below(static_cast<int>(transport_.requests.size())));
    const std::string id = transport_.requests[at].request.origin.host;
    if (Chance(50)) transport_.requests[at].sent = Chance(50);
    switch (Below(8)) {
      case 0:
      case 1:
      case 2:
        return Answer(id, Chance(50) ? "[1,2]" : "\"text\"");
      case 3:
        return AnswerStatus(id, 200 + Below(400));
      case 4:
        return AnswerStatus(id, 403);
      case 5:
        return transport_.Answer(200, Chance(50) ? "{" : "{\"data\":7}", at);
      default:
        return transport_.Fail(static_cast<HttpError::Kind>(Below(7)),
                               Chance(50), at);
    }
  }

  void CheckAnswer(const FanOutCall& call, Delivery delivery,
                   const RecordingSink& sink) {
    ASSERT_TRUE(sink.answer.has_value());
    const bool streamed = delivery == Delivery::kStreamed;
    const std::vector<NodeOutcome>& outcomes =
        streamed ? sink.streamed : sink.answer->outcomes;
    std::set<std::string> ids;
    int results = 0, failures = 0, skipped = 0;
    for (const NodeOutcome& outcome : outcomes) {
      EXPECT_TRUE(ids.insert(outcome.server_id).second) << outcome.server_id;
      results += outcome.kind == NodeOutcome::Kind::kResult;
      failures += outcome.kind == NodeOutcome::Kind::kFailure;
      skipped += outcome.kind == NodeOutcome::Kind::kSkipped;
      EXPECT_EQ(outcome.message.empty(),
                outcome.kind != NodeOutcome::Kind::kFailure);
      EXPECT_LE(outcome.attempts,
                call.retry.max_attempts + 1 + (call.hedge ? 1 : 0));
      if (outcome.attempts == 0) {
        EXPECT_EQ(outcome.certainty, Certainty::kNotSent);
      }
    }
    EXPECT_EQ(ids, ExpectedIds(call));
    if (!streamed) {
      EXPECT_TRUE(std::is_sorted(outcomes.begin(), outcomes.end(),
                                 [](const auto& a, const auto& b) {
                                   return a.server_id < b.server_id;
                                 }));
      EXPECT_EQ(sink.answer->data_json.front(), '[');
      EXPECT_EQ(sink.answer->data_json.back(), ']');
    }
    const FanOutSummary& summary = sink.answer->summary;
    EXPECT_EQ(summary.expected, static_cast<int>(outcomes.size()));
    EXPECT_EQ(summary.results, results);
    EXPECT_EQ(summary.failures, failures);
    EXPECT_EQ(summary.skipped, skipped);
    EXPECT_EQ(summary.verdict, VerdictOf(results, summary.expected));
    EXPECT_LE(summary.elapsed, std::min(call.time_left, absl::Seconds(50)));
    if (call.policy.kind == CompletionPolicy::Kind::kFirst &&
        summary.policy_met) {
      EXPECT_EQ(results, call.policy.n);
    }
  }

  std::mt19937 random_{GetParam()};
  int members_ = 0;
};

TEST_P(RandomCallTest, EveryExpectedNodeIsAccountedForOnce) {
  use_tokens_ = Chance(50);
  options_.max_node_calls = 50;
  int refused = 0;
  for (int round = 0; round < 250; ++round) {
    RandomMembers();
    const FanOutCall call = RandomCall();
    const Delivery delivery =
        Chance(50) ? Delivery::kAtOnce : Delivery::kStreamed;
    auto sink = Start(call, delivery);
    for (int event = 0; !sink->ended(); ++event) {
      ASSERT_LT(event, 10'000) << "the call does not end";
      if (Chance(2)) {
        handle_->Cancel();
        loop_.RunPosted();
      } else {
        RandomEvent();
      }
    }
    if (sink->refusal) {
      EXPECT_TRUE(HasReason(*sink->refusal, Reason::kPolicyImpossible) ||
                  (HasReason(*sink->refusal, Reason::kAnswerTooLarge) &&
                   call.max_answer_bytes > 0))
          << *sink->refusal;
      ++refused;
    } else {
      CheckAnswer(call, delivery, *sink);
    }
    // Nothing is left behind, and nothing more is heard.
    EXPECT_TRUE(transport_.requests.empty());
    EXPECT_EQ(loop_.timers(), 0u);
    EXPECT_EQ(engine().calls_in_flight(), 0);
    while (!tokens_.waiting.empty()) tokens_.Give("late");
    loop_.Advance(absl::Minutes(2));
    if (HasFailure()) FAIL() << "seed " << GetParam() << " round " << round;
  }
  EXPECT_LT(refused, 200);
  // The permits of node calls came back: a call that needs them all may run.
  engine();
  std::vector<Server> many;
  for (int i = 0; i < 50; ++i) many.push_back(MakeServer(absl::StrCat("n", i)));
  SetMembers(std::move(many));
  auto sink = Start(Call());
  EXPECT_FALSE(sink->refusal.has_value());
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomCallTest, testing::Range(1u, 33u));

}  // namespace
}  // namespace coord
