#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "common/error.h"
#include "common/grpc_status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/http/router.h"
#include "tests/support/http_node.h"
#include "tests/support/on_loop.h"
#include "tests/unit/rpc/service_fixture.h"

namespace coord {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

pb::FanOutRequest Get(const std::string& path) {
  pb::FanOutRequest request;
  request.set_type("mTest");
  request.mutable_http()->set_path(path);
  return request;
}

class FanOutServiceTest : public ServiceTest {
 protected:
  absl::Status FanOut(const pb::FanOutRequest& request,
                      pb::FanOutResponse* response) {
    return FromGrpcStatus(Call(*fan_out_stub_, &pb::FanOutService::Stub::FanOut,
                               request, response));
  }

  HttpNode& AddNode(const std::string& server_id) {
    nodes_.push_back(std::make_unique<HttpNode>(loop_, server_id));
    Apply(ChangeType::kJoined, server_id, nodes_.back()->base_url());
    return *nodes_.back();
  }

  // Lets `node` keep its requests unanswered until the end.
  void MakeSilent(HttpNode& node) {
    node.AnswerBy([this](HttpServerRequest, HttpReply reply) {
      unanswered_.push_back(std::move(reply));
    });
  }

  // That the call in flight has ended because it was cancelled.
  void ExpectGivenUp() {
    StopServing();
    OnLoop(lane_, [] {});
    EXPECT_EQ(engine_->calls_in_flight(), 0);
    EXPECT_THAT(fan_out_record_.failures(),
                ElementsAre(FailureReason::kCancelled));
  }

  ~FanOutServiceTest() override { StopServing(); }

  std::vector<HttpReply> unanswered_;  // on the loop
  std::vector<std::unique_ptr<HttpNode>> nodes_;
};

TEST_F(FanOutServiceTest, AggregatesTheAnswersOfAll) {
  AddNode("node-1");
  AddNode("node-2");
  pb::FanOutResponse response;
  const absl::Status status = FanOut(Get("/info"), &response);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(response.verdict(), pb::VERDICT_COMPLETE);
  EXPECT_TRUE(response.policy_met());
  EXPECT_EQ(response.cluster_id(), "c1");
  EXPECT_EQ(response.expected_count(), 2);
  EXPECT_EQ(response.data_json(), R"([{"id":"node-1"},{"id":"node-2"}])");
  ASSERT_EQ(response.results_size(), 2);
  EXPECT_EQ(response.results(0).server_id(), "node-1");
  EXPECT_EQ(response.results(0).http_status(), 200);
  EXPECT_EQ(response.results(0).body(), "");
}

TEST_F(FanOutServiceTest, TheCorrelationIdReachesTheNode) {
  HttpNode& node = AddNode("node-1");
  absl::Mutex mutex;
  std::string received;
  node.AnswerBy([&](HttpServerRequest request, HttpReply reply) {
    absl::MutexLock lock(&mutex);
    received = std::string(FindHeader(request.headers, "x-correlation-id"));
    std::move(reply)(JsonAnswer(200, node.Answer("1")));
  });
  grpc::ClientContext context;
  context.AddMetadata("x-correlation-id", "abc@4/D");
  pb::FanOutResponse response;
  ASSERT_TRUE(fan_out_stub_->FanOut(&context, Get("/info"), &response).ok());
  absl::MutexLock lock(&mutex);
  EXPECT_THAT(received, HasSubstr("abc@"));
}

TEST_F(FanOutServiceTest, WhatTheEngineRefusesIsToldWithItsFields) {
  AddNode("node-1");
  pb::FanOutResponse response;
  absl::Status status = FanOut(Get("http://evil/"), &response);
  EXPECT_TRUE(HasReason(status, Reason::kInvalidField));
  ASSERT_EQ(DetailOf(status).violations.size(), 1u);
  EXPECT_EQ(DetailOf(status).violations[0].field, "http.path");

  pb::FanOutRequest request = Get("/info");
  request.set_type("mOther");
  EXPECT_TRUE(HasReason(FanOut(request, &response), Reason::kClusterNotFound));

  request.clear_http();
  EXPECT_TRUE(HasReason(FanOut(request, &response), Reason::kInvalidField));
}

TEST_F(FanOutServiceTest, AnswersBeforeTheDeadlineWithWhatHasArrived) {
  AddNode("node-1");
  MakeSilent(AddNode("node-2"));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::milliseconds(300));
  pb::FanOutResponse response;
  const grpc::Status status =
      fan_out_stub_->FanOut(&context, Get("/info"), &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.verdict(), pb::VERDICT_PARTIAL);
  ASSERT_EQ(response.results_size(), 1);
  EXPECT_EQ(response.results(0).server_id(), "node-1");
  ASSERT_EQ(response.failures_size(), 1);
  EXPECT_EQ(response.failures(0).server_id(), "node-2");
  EXPECT_EQ(response.failures(0).reason(), pb::FAILURE_REASON_TIMEOUT);
  EXPECT_EQ(response.failures(0).certainty(), pb::CERTAINTY_MAYBE_EXECUTED);
}

TEST_F(FanOutServiceTest, ACancelledCallGivesItsNodesUp) {
  HttpNode& node = AddNode("node-1");
  MakeSilent(node);
  grpc::ClientContext context;
  pb::FanOutResponse response;
  grpc::Status status;
  std::thread caller([&] {
    status = fan_out_stub_->FanOut(&context, Get("/info"), &response);
  });
  node.WaitForCalls(1);
  context.TryCancel();
  caller.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
  ExpectGivenUp();
}

TEST_F(FanOutServiceTest, ADrainingEngineRefuses) {
  AddNode("node-1");
  engine_->Drain();
  pb::FanOutResponse response;
  const absl::Status status = FanOut(Get("/info"), &response);
  EXPECT_TRUE(HasReason(status, Reason::kDraining)) << status;
  EXPECT_TRUE(DetailOf(status).retry_after.has_value());
}

// A client that knows nothing of limits receives 4 MiB.
TEST_F(FanOutServiceTest, AnswerOfManyFailuresWithLongAddressesIsReceived) {
  Join(9000, "http://127.0.0.1:9/" + std::string(700, 'x'));
  pb::FanOutRequest request = Get("/info");
  request.mutable_retry()->set_max_attempts(1);
  pb::FanOutResponse response;
  const absl::Status status = FanOut(request, &response);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_LE(response.ByteSizeLong(), 3u << 20);
  EXPECT_EQ(response.expected_count(), 9000);
  EXPECT_EQ(response.failures_size(), 9000);
  for (const pb::FanOutFailure& failure : response.failures()) {
    EXPECT_EQ(failure.reason(), pb::FAILURE_REASON_UNREACHABLE);
    EXPECT_EQ(failure.certainty(), pb::CERTAINTY_NOT_SENT);
    EXPECT_EQ(failure.message(),
              "call " + failure.server_id() +
                  ": connect 127.0.0.1:9: connection refused");
  }
}

class StreamFanOutTest : public FanOutServiceTest {
 protected:
  void Start(const pb::FanOutRequest& request) {
    pb::StreamFanOutRequest stream_request;
    *stream_request.mutable_request() = request;
    reader_ = fan_out_stub_->StreamFanOut(&context_, stream_request);
  }
  pb::StreamFanOutResponse Next() {
    pb::StreamFanOutResponse response;
    if (!reader_->Read(&response)) response.Clear();
    return response;
  }

  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<pb::StreamFanOutResponse>> reader_;
};

TEST_F(StreamFanOutTest, OutcomesComeAsTheyArriveThenASummary) {
  AddNode("node-2");
  AddNode("node-1").AnswerBy([&](HttpServerRequest, HttpReply reply) {
    unanswered_.push_back(std::move(reply));
  });
  Start(Get("/info"));
  pb::StreamFanOutResponse event = Next();
  EXPECT_EQ(event.result().server_id(), "node-2");
  nodes_.back()->WaitForCalls(1);
  loop_.Post([&] {
    std::move(unanswered_.front())(JsonAnswer(200, nodes_.back()->Answer("1")));
    unanswered_.clear();
  });
  event = Next();
  EXPECT_EQ(event.result().server_id(), "node-1");
  event = Next();
  ASSERT_TRUE(event.has_summary());
  EXPECT_EQ(event.summary().verdict(), pb::VERDICT_COMPLETE);
  EXPECT_EQ(event.summary().expected_count(), 2);
  EXPECT_EQ(event.summary().result_count(), 2);
  EXPECT_EQ(Next().event_case(), pb::StreamFanOutResponse::EVENT_NOT_SET);
  EXPECT_TRUE(reader_->Finish().ok());
}

TEST_F(StreamFanOutTest, ManyOutcomesWaitForASlowReader) {
  Join(300, AddNode("s0000").base_url());
  Start(Get("/info"));
  std::set<std::string> seen;
  pb::StreamFanOutResponse event;
  while (!(event = Next()).has_summary()) {
    ASSERT_NE(event.event_case(), pb::StreamFanOutResponse::EVENT_NOT_SET);
    const std::string& id = event.has_result() ? event.result().server_id()
                                               : event.failure().server_id();
    EXPECT_TRUE(seen.insert(id).second) << id;
  }
  EXPECT_EQ(seen.size(), 300u);
  EXPECT_EQ(event.summary().expected_count(), 300);
  EXPECT_TRUE(reader_->Finish().ok());
}

TEST_F(StreamFanOutTest, ARefusedCallHasNoEvents) {
  Start(Get("//host"));
  EXPECT_EQ(Next().event_case(), pb::StreamFanOutResponse::EVENT_NOT_SET);
  EXPECT_TRUE(
      HasReason(FromGrpcStatus(reader_->Finish()), Reason::kInvalidField));
}

TEST_F(StreamFanOutTest, ARequestThatCannotBeConvertedIsRefused) {
  Start(pb::FanOutRequest());
  const absl::Status status = FromGrpcStatus(reader_->Finish());
  EXPECT_EQ(status.message(), "http: must be set");
}

TEST_F(StreamFanOutTest, ACancelledStreamGivesItsNodesUp) {
  HttpNode& node = AddNode("node-1");
  MakeSilent(node);
  Start(Get("/info"));
  node.WaitForCalls(1);
  context_.TryCancel();
  EXPECT_EQ(reader_->Finish().error_code(), grpc::StatusCode::CANCELLED);
  ExpectGivenUp();
}

constexpr char kTraceParent[] =
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

class TraceTest : public FanOutServiceTest {
 protected:
  TraceTest() {
    AddNode("node-1").AnswerBy(
        [this](HttpServerRequest request, HttpReply reply) {
          absl::MutexLock lock(&mutex_);
          received_ = std::move(request.headers);
          std::move(reply)(JsonAnswer(200, nodes_[0]->Answer("1")));
        });
  }

  void CallWith(grpc::ClientContext& context) {
    pb::FanOutResponse response;
    ASSERT_TRUE(fan_out_stub_->FanOut(&context, Get("/info"), &response).ok());
  }
  // A header that the node got; empty: none.
  std::string Received(std::string_view name) {
    absl::MutexLock lock(&mutex_);
    return std::string(FindHeader(received_, name));
  }
  static std::string CameBack(const grpc::ClientContext& context,
                              const std::string& name) {
    const auto& metadata = context.GetServerInitialMetadata();
    const auto it = metadata.find(name);
    return it == metadata.end()
               ? "none"
               : std::string(it->second.data(), it->second.size());
  }

  absl::Mutex mutex_;
  HttpHeaders received_ ABSL_GUARDED_BY(mutex_);
};

TEST_F(TraceTest, TheCallersTraceReachesTheNodeAndComesBack) {
  grpc::ClientContext context;
  context.AddMetadata("traceparent", kTraceParent);
  context.AddMetadata("tracestate", "rojo=1");
  context.AddMetadata("tracestate", "congo=2");
  CallWith(context);
  EXPECT_EQ(Received("traceparent"), kTraceParent);
  EXPECT_EQ(Received("tracestate"), "rojo=1,congo=2");
  EXPECT_EQ(CameBack(context, "traceparent"), kTraceParent);
  EXPECT_EQ(CameBack(context, "tracestate"), "rojo=1,congo=2");
}

TEST_F(TraceTest, WhatIsNoTraceIsNotSent) {
  grpc::ClientContext context;
  context.AddMetadata("traceparent", "00-1-2-01");
  context.AddMetadata("tracestate", "rojo=1");
  CallWith(context);
  EXPECT_EQ(Received("traceparent"), "");
  EXPECT_EQ(Received("tracestate"), "");

  grpc::ClientContext twice;
  twice.AddMetadata("traceparent", kTraceParent);
  twice.AddMetadata("traceparent", kTraceParent);
  CallWith(twice);
  EXPECT_EQ(Received("traceparent"), "");
}

TEST_F(FanOutServiceTest, AnAnswerTellsWhatItsMembershipIsWorth) {
  AddNode("node-1");
  pb::FanOutResponse response;
  ASSERT_TRUE(FanOut(Get("/info"), &response).ok());
  EXPECT_THAT(response.warnings(), testing::IsEmpty());
  ASSERT_TRUE(response.has_membership_age());
  EXPECT_EQ(response.membership_age().seconds(), 0);

  pb::FanOutRequest nobody = Get("/info");
  nobody.mutable_selection();
  ASSERT_TRUE(FanOut(nobody, &response).ok());
  EXPECT_EQ(response.verdict(), pb::VERDICT_COMPLETE);
  EXPECT_THAT(response.warnings(), ElementsAre(pb::WARNING_EMPTY));

  nobody.set_min_expected(1);
  const absl::Status refused = FanOut(nobody, &response);
  EXPECT_TRUE(HasReason(refused, Reason::kTooFewServers)) << refused;
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace coord
