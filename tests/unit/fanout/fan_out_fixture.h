// An engine on a loop and a transport that the test drives, over a real
// membership.
#ifndef TESTS_UNIT_FANOUT_FAN_OUT_FIXTURE_H_
#define TESTS_UNIT_FANOUT_FAN_OUT_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "server/core/membership.h"
#include "server/fanout/engine.h"
#include "tests/support/fake_transport.h"
#include "tests/support/manual_loop.h"
#include "tests/support/plain_format.h"

namespace coord {

// Keeps what it hears.
class RecordingSink final : public FanOutSink {
 public:
  std::size_t OnOutcome(NodeOutcome outcome) override {
    EXPECT_FALSE(ended()) << "an outcome after the end";
    streamed.push_back(std::move(outcome));
    return unread_each;
  }
  void OnDone(FanOutAnswer done) override {
    EXPECT_FALSE(ended()) << "a second end";
    answer = std::move(done);
  }
  void OnRefused(absl::Status status) override {
    EXPECT_FALSE(ended()) << "a second end";
    refusal = std::move(status);
  }
  bool ended() const { return answer.has_value() || refusal.has_value(); }

  std::vector<NodeOutcome> streamed;
  std::size_t unread_each = 0;  // bytes that each outcome waits with
  std::optional<FanOutAnswer> answer;
  std::optional<absl::Status> refusal;
};

class RecordingSuspicions final : public SuspicionSink {
 public:
  void Suspect(const ClusterIdentity& cluster,
               const ServerPtr& server) override {
    suspects.push_back(absl::StrCat(cluster.id, "/", server->server_id));
    if (on_suspect) on_suspect();
  }
  void Nameless(const ServerPtr& server) override {
    nameless.push_back(server->server_id);
  }
  std::vector<std::string> suspects;
  std::vector<std::string> nameless;
  std::function<void()> on_suspect;
};

// Says what the test wants.
class FakeKnowledge final : public KnowledgeSource {
 public:
  Knowledge Judge(const ClusterSnapshot& cluster) override {
    judged.push_back(cluster.identity.id);
    return knowledge;
  }
  Knowledge knowledge;
  std::vector<std::string> judged;
};

class CountingObserver final : public FanOutObserver {
 public:
  void OnCallStarted() override { ++started; }
  void OnCallEnded(const FanOutSummary&) override { ++ended; }
  void OnCallRefused(const absl::Status&) override { ++refused; }
  void OnCallWaited(absl::Duration waited) override { waits.push_back(waited); }
  void OnNodeOutcome(const NodeOutcome&) override { ++outcomes; }
  void OnRetry() override { ++retries; }
  void OnHedge() override { ++hedges; }
  void OnHedgeWon() override { ++hedges_won; }
  int started = 0, ended = 0, refused = 0, outcomes = 0, retries = 0;
  int hedges = 0, hedges_won = 0;
  std::vector<absl::Duration> waits;
};

// Tokens that the test hands out.
class FakeTokens final : public TokenSource {
 public:
  void Get(TokenRequest request, Done done) override {
    requests.push_back(std::move(request));
    waiting.push_back(std::move(done));
  }
  void Drop(const std::string& token) override { dropped.push_back(token); }
  void Give(absl::StatusOr<std::string> token) {
    Done done = std::move(waiting.front());
    waiting.erase(waiting.begin());
    std::move(done)(std::move(token));
  }
  std::vector<TokenRequest> requests;
  std::vector<Done> waiting;
  std::vector<std::string> dropped;
};

class FanOutTest : public testing::Test {
 protected:
  static constexpr char kType[] = "mTest";
  static constexpr char kCluster[] = "cluster-1";

  static Server MakeServer(const std::string& id) {
    Server server;
    server.type = kType;
    server.server_id = id;
    server.cluster_base_url = absl::StrCat("http://", id, ":8080/base");
    server.version.text = "v1";
    return server;
  }

  // Replaces the cluster's members.
  void SetMembers(std::vector<Server> servers) {
    membership_.Replace({kCluster, kType, ""}, std::move(servers),
                        membership_.Mark(), loop_.Now());
  }
  // n0, n1, … without the node API.
  void SetMembers(int n) {
    std::vector<Server> servers;
    for (int i = 0; i < n; ++i) {
      servers.push_back(MakeServer(absl::StrCat("n", i)));
    }
    SetMembers(std::move(servers));
  }

  FanOutEngine& engine() {
    if (!engine_) {
      engine_ = std::make_unique<FanOutEngine>(
          options_, std::vector<FanOutEngine::Lane>{{&loop_, &transport_}},
          membership_, use_tokens_ ? &tokens_ : nullptr, suspicions_,
          knowledge_, observer_, *format_);
    }
    return *engine_;
  }

  static FanOutCall Call() {
    FanOutCall call;
    call.type = kType;
    call.path = "/things";
    return call;
  }

  std::shared_ptr<RecordingSink> Start(FanOutCall call,
                                       Delivery delivery = Delivery::kAtOnce) {
    auto sink = std::make_shared<RecordingSink>();
    handle_ = engine().Start(std::move(call), delivery, sink);
    loop_.RunPosted();
    return sink;
  }

  // Where in the transport the request to `server_id` waits.
  std::size_t At(const std::string& server_id) const {
    for (std::size_t i = 0; i < transport_.requests.size(); ++i) {
      if (transport_.requests[i].request.origin.host == server_id) return i;
    }
    ADD_FAILURE() << "nothing waits for " << server_id;
    return transport_.requests.size();
  }
  bool Waits(const std::string& server_id) const {
    return std::any_of(transport_.requests.begin(), transport_.requests.end(),
                       [&](const auto& pending) {
                         return pending.request.origin.host == server_id;
                       });
  }

  // A genuine answer of `server_id` with `data`.
  void Answer(const std::string& server_id, const std::string& data = "1") {
    transport_.Answer(
        200,
        absl::StrCat("{\"data\":", data, ",\"server\":{\"serverId\":\"",
                     server_id, "\"}}"),
        At(server_id));
  }
  void AnswerStatus(const std::string& server_id, int status) {
    transport_.Answer(status, R"({"statusCode":1})", At(server_id));
  }
  void Fail(const std::string& server_id, HttpError::Kind kind, bool sent) {
    transport_.Fail(kind, sent, At(server_id));
  }

  static const NodeOutcome& OutcomeOf(const RecordingSink& sink,
                                      const std::string& server_id) {
    static const NodeOutcome none;
    const auto& outcomes = sink.streamed.empty() && sink.answer
                               ? sink.answer->outcomes
                               : sink.streamed;
    for (const NodeOutcome& outcome : outcomes) {
      if (outcome.server_id == server_id) return outcome;
    }
    ADD_FAILURE() << "no outcome of " << server_id;
    return none;
  }

  // The violated field, if the call was refused for exactly one.
  static std::string ViolatedField(const RecordingSink& sink) {
    if (!sink.refusal) return "(not refused)";
    const ErrorDetail detail = DetailOf(*sink.refusal);
    if (detail.violations.size() != 1) return sink.refusal->ToString();
    return detail.violations[0].field;
  }

  FanOutOptions options_;
  bool use_tokens_ = false;
  ManualLoop loop_;
  FakeTransport transport_{loop_};
  Membership membership_{{}, "test"};
  FakeTokens tokens_;
  RecordingSuspicions suspicions_;
  FakeKnowledge knowledge_;
  CountingObserver observer_;
  PlainFormat plain_format_;
  const AnswerFormat* format_ = &plain_format_;
  std::unique_ptr<FanOutEngine> engine_;
  std::shared_ptr<FanOutEngine::CallHandle> handle_;
};

inline bool IsResult(const NodeOutcome& outcome) {
  return outcome.kind == NodeOutcome::Kind::kResult;
}

MATCHER_P2(FailedWith, reason, certainty, "") {
  *result_listener << "kind " << static_cast<int>(arg.kind) << ", reason "
                   << static_cast<int>(arg.failure) << ", certainty "
                   << static_cast<int>(arg.certainty) << ": " << arg.message;
  return arg.kind == NodeOutcome::Kind::kFailure && arg.failure == reason &&
         arg.certainty == certainty;
}

MATCHER_P2(SkippedFor, reason, certainty, "") {
  *result_listener << "kind " << static_cast<int>(arg.kind) << ", skip "
                   << static_cast<int>(arg.skip) << ", certainty "
                   << static_cast<int>(arg.certainty);
  return arg.kind == NodeOutcome::Kind::kSkipped && arg.skip == reason &&
         arg.certainty == certainty;
}

}  // namespace coord

#endif  // TESTS_UNIT_FANOUT_FAN_OUT_FIXTURE_H_
