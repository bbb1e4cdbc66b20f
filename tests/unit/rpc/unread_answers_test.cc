// Callers that do not read what they asked for.
#include "server/rpc/unread_answers.h"

#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/grpc_status.h"
#include "gmock/gmock.h"
#include "server/http/router.h"
#include "tests/support/http_node.h"
#include "tests/support/on_loop.h"
#include "tests/unit/rpc/service_fixture.h"

namespace coord {
namespace {

RpcOptions WithUnread(UnreadAnswersOptions unread) {
  RpcOptions options;
  options.unread = unread;
  return options;
}

// A list that is asked for, and read only by Read. What gRPC's library takes
// unasked is far less than it has.
class UnreadList {
 public:
  explicit UnreadList(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(channel),
        call_(stub_.PrepareCall(&context_,
                                "/mimik.cluster.v1.RegistryService/ListServers",
                                &queue_)) {
    pb::ListServersRequest request;
    request.set_type("mTest");
    request.set_page_size(1000);
    const std::string text = request.SerializeAsString();
    const grpc::Slice slice(text);
    call_->StartCall(nullptr);
    Await();
    call_->WriteLast(grpc::ByteBuffer(&slice, 1), {}, nullptr);
    Await();
  }
  ~UnreadList() {
    context_.TryCancel();
    if (!read_) Read().IgnoreError();
    queue_.Shutdown();
    Await();
  }

  absl::Status Read() {
    read_ = true;
    grpc::ByteBuffer answer;
    call_->Read(&answer, nullptr);
    Await();
    grpc::Status status;
    call_->Finish(&status, nullptr);
    Await();
    return FromGrpcStatus(status);
  }

 private:
  void Await() {
    void* tag = nullptr;
    bool ok = false;
    queue_.Next(&tag, &ok);
  }

  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  grpc::GenericStub stub_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  bool read_ = false;
};

class UnreadAnswersTest : public ServiceTest {
 protected:
  explicit UnreadAnswersTest(UnreadAnswersOptions options =
                                 {.max_bytes = 1, .patience = absl::Hours(1)})
      : ServiceTest(WithUnread(options)) {
    Join(300, absl::StrCat("http://127.0.0.1:1/", std::string(2000, 'x')));
  }
  ~UnreadAnswersTest() override { StopServing(); }

  void AwaitBytes(bool any) {
    while ((unread_->bytes() > 0) != any) OnLoop(loop_, [] {});
  }

  // The refusal of a call, and that it says when to come again.
  template <typename Service, typename Request, typename Response>
  void ExpectRefused(Service& stub,
                     grpc::Status (Service::*method)(grpc::ClientContext*,
                                                     const Request&, Response*),
                     const Request& request) {
    grpc::ClientContext context;
    Response response;
    const absl::Status status =
        FromGrpcStatus((stub.*method)(&context, request, &response));
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(status.message(),
              "call: answers that their callers have not read are at their "
              "limit of 1 bytes (--max-unread-bytes)");
    const auto& trailers = context.GetServerTrailingMetadata();
    ASSERT_EQ(trailers.count("grpc-retry-pushback-ms"), 1u);
    EXPECT_EQ(trailers.find("grpc-retry-pushback-ms")->second, "1000");
  }
};

TEST_F(UnreadAnswersTest, AnswersCountUntilTheyHaveLeft) {
  EXPECT_EQ(unread_->bytes(), 0u);
  UnreadList list(channel_);
  AwaitBytes(true);
  EXPECT_GT(unread_->bytes(), 300u * 2000);
  EXPECT_TRUE(list.Read().ok());
  AwaitBytes(false);
}

TEST_F(UnreadAnswersTest, CallsWithLargeAnswersAreRefusedAtTheLimit) {
  UnreadList list(channel_);
  AwaitBytes(true);
  pb::ListServersRequest servers;
  servers.set_cluster_id("c1");
  ExpectRefused(*registry_stub_, &pb::RegistryService::Stub::ListServers,
                servers);
  ExpectRefused(*registry_stub_, &pb::RegistryService::Stub::ListClusters, {});
  ExpectRefused(*registry_stub_, &pb::RegistryService::Stub::ListRegistrations,
                {});
  pb::FanOutRequest call;
  call.set_type("mTest");
  call.mutable_http()->set_path("/");
  ExpectRefused(*fan_out_stub_, &pb::FanOutService::Stub::FanOut, call);

  grpc::ClientContext context;
  pb::WatchClusterRequest watch;
  watch.set_type("mTest");
  const auto reader = registry_stub_->WatchCluster(&context, watch);
  EXPECT_EQ(reader->Finish().error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);

  // Sessions live on.
  EXPECT_NE(Register("node-1").session_id(), "");
  EXPECT_TRUE(list.Read().ok());
  AwaitBytes(false);
  pb::ListServersResponse response;
  EXPECT_EQ(FromGrpcStatus(Call(*registry_stub_,
                                &pb::RegistryService::Stub::ListServers,
                                servers, &response)),
            absl::OkStatus());
}

TEST_F(UnreadAnswersTest, WhatACancelledCallHasNotReadIsGone) {
  {
    UnreadList list(channel_);
    AwaitBytes(true);
  }
  AwaitBytes(false);
}

class UnreadTimeoutTest : public UnreadAnswersTest {
 protected:
  UnreadTimeoutTest()
      : UnreadAnswersTest({.patience = absl::Milliseconds(20)}) {}

  void AwaitGivenUp() {
    while (unread_record_.given_up == 0) OnLoop(loop_, [] {});
  }
};

TEST_F(UnreadTimeoutTest, ACallerThatDoesNotReadIsGivenUp) {
  UnreadList list(channel_);
  AwaitGivenUp();
  EXPECT_FALSE(list.Read().ok());
  AwaitBytes(false);
}

class UnreadStreamTest : public UnreadAnswersTest {
 protected:
  UnreadStreamTest() : UnreadAnswersTest({}) {}
};

TEST_F(UnreadStreamTest, AStreamHoldsNoMoreThanItsLimitAndOneAnswer) {
  constexpr int kNodes = 20;
  constexpr std::size_t kAnswer = 1 << 20;
  HttpNode node(loop_, "");
  node.AnswerBy([](HttpServerRequest, HttpReply reply) {
    std::move(reply)(JsonAnswer(
        200, absl::StrCat("{\"data\":\"", std::string(kAnswer, 'x'), "\"}")));
  });
  Join(kNodes, node.base_url());
  grpc::ClientContext context;
  pb::StreamFanOutRequest request;
  request.mutable_request()->set_type("mTest");
  request.mutable_request()->mutable_http()->set_path("/");
  const auto reader = fan_out_stub_->StreamFanOut(&context, request);
  AwaitBytes(true);
  std::set<std::string> results;
  std::size_t most = 0;
  pb::StreamFanOutResponse event;
  while (reader->Read(&event)) {
    most = std::max(most, unread_->bytes());
    if (event.has_result()) results.insert(event.result().server_id());
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(results.size(), kNodes);
  EXPECT_EQ(event.summary().verdict(), pb::VERDICT_COMPLETE);
  EXPECT_LE(most, (3u << 20) + 2 * kAnswer);
}

}  // namespace
}  // namespace coord
