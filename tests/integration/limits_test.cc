// Every table of a clusterd filled to its limit: the error is clear, nothing
// else suffers, and room that is made is used.
#include <malloc.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/cluster_fixture.h"
#include "tests/support/raw_client.h"
#include "tests/support/watcher.h"

namespace coord {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

Config SmallConfig() {
  Config config = TestConfig();
  config.registrar.max_registrations = 2;
  config.embedded.max_servers = 2;
  config.embedded.max_clusters = 1;
  config.membership.max_clusters = 1;
  config.membership.max_watchers = 2;
  config.fanout.max_calls = 2;
  config.fanout.max_node_calls = 3;
  config.fanout.max_queued_calls = 0;
  config.listener.max_connections = 2;
  return config;
}

// A fan-out in flight until it is cancelled.
class OpenCall {
 public:
  OpenCall(pb::FanOutService::Stub& stub, pb::FanOutRequest request)
      : request_(std::move(request)) {
    stub.async()->FanOut(&context_, &request_, &response_,
                         [this](grpc::Status) { ended_.Notify(); });
  }
  ~OpenCall() {
    context_.TryCancel();
    ended_.WaitForNotification();
  }

 private:
  grpc::ClientContext context_;
  pb::FanOutRequest request_;
  pb::FanOutResponse response_;
  absl::Notification ended_;
};

class LimitsTest : public ClusterTest {
 protected:
  LimitsTest() : ClusterTest(SmallConfig()) {}

  // One that tells of each request and answers none.
  void AddSilentNode(const std::string& server_id) {
    AddRawNode(server_id, [this](RawPeer& peer, int) {
      if (peer.ReadRequest().empty()) return;
      asked_.Add();
      peer.WaitForClose();
    });
  }

  // One call more is refused, and told when to come again.
  void ExpectRefusal(Reason reason, const std::string& text) {
    grpc::ClientContext context;
    pb::FanOutResponse response;
    const absl::Status status =
        FromGrpcStatus(fan_out_->FanOut(&context, GetCall("/info"), &response));
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_TRUE(HasReason(status, reason));
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
    const auto& trailers = context.GetServerTrailingMetadata();
    const auto pushback = trailers.find("grpc-retry-pushback-ms");
    ASSERT_NE(pushback, trailers.end());
    EXPECT_EQ(pushback->second, "100");
  }

  // Counts what has happened, for whoever waits until it has.
  class Count {
   public:
    void Add() {
      absl::MutexLock lock(&mutex_);
      ++count_;
    }
    void Await(int count) {
      absl::MutexLock lock(&mutex_);
      auto reached = [this, count]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return count_ >= count;
      };
      mutex_.Await(absl::Condition(&reached));
    }

   private:
    absl::Mutex mutex_;
    int count_ ABSL_GUARDED_BY(mutex_) = 0;
  };

  Count asked_;
};

TEST_F(LimitsTest, Registrations) {
  AddNode("node-1");
  AddNode("node-2");
  const auto third = Register(Registration("node-3", "http://a.test", false));
  EXPECT_EQ(third.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(HasReason(third.status(), Reason::kTooManyRegistrations));
  EXPECT_THAT(std::string(third.status().message()),
              HasSubstr("2 servers are held, which is the limit "
                        "(--max-registrations)"));

  // Those that are held may register again.
  EXPECT_TRUE(
      Register(Registration("node-2", nodes_[1]->base_url(), true)).ok());
  ASSERT_TRUE(Unregister("node-2").ok());
  EXPECT_TRUE(Register(Registration("node-3", "http://a.test", false)).ok());
}

TEST_F(LimitsTest, Clusters) {
  AddNode("node-1");
  auto other = Registration("node-1", "http://a.test", false);
  other.mutable_server()->set_public_base_url("http://other.test");
  const auto refused = Register(other);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(HasReason(refused.status(), Reason::kTooManyClusters));
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr("1 clusters are in use, which is the limit "
                        "(--max-clusters)"));
  ASSERT_TRUE(Unregister("node-1").ok());
  EXPECT_TRUE(Register(other).ok());
}

TEST_F(LimitsTest, Watchers) {
  Watcher first(*registry_, "mTest");
  Watcher second(*registry_, "mTest");
  first.Next();
  second.Next();
  const absl::Status third = Watcher(*registry_, "mTest").End();
  EXPECT_EQ(third.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(HasReason(third, Reason::kTooManyWatchers));
  EXPECT_THAT(std::string(third.message()),
              HasSubstr("2 watchers are open, which is the limit "
                        "(--max-watchers)"));

  AddNode("node-1");
  EXPECT_EQ(first.NextEvent().change().server().server_id(), "node-1");
}

TEST_F(LimitsTest, Calls) {
  AddSilentNode("node-1");
  const OpenCall first(*fan_out_, GetCall("/info"));
  const OpenCall second(*fan_out_, GetCall("/info"));
  asked_.Await(2);
  ExpectRefusal(Reason::kTooManyCalls, "limit of 2");
}

TEST_F(LimitsTest, NodeCalls) {
  AddSilentNode("node-1");
  AddSilentNode("node-2");
  const OpenCall first(*fan_out_, GetCall("/info"));
  asked_.Await(2);
  ExpectRefusal(Reason::kTooManyNodeCalls, "limit of 3");
}

TEST_F(LimitsTest, HttpConnectionsWaitForRoom) {
  const auto port = static_cast<std::uint16_t>(std::stoi(
      server_->http_address().substr(server_->http_address().find(':') + 1)));
  constexpr char kRequest[] = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
  RawClient first(port);
  RawClient second(port);
  for (RawClient* client : {&first, &second}) {
    client->Write(kRequest);
    EXPECT_THAT(client->ReadUntil("ok\n"), StartsWith("HTTP/1.1 200"));
  }
  RawClient third(port);
  third.Write(kRequest);
  EXPECT_FALSE(third.Readable());
  first.Close();
  EXPECT_THAT(third.ReadUntil("ok\n"), StartsWith("HTTP/1.1 200"));
}

// What comes and goes leaves no memory behind.
class ChurnTest : public ClusterTest {
 protected:
  ChurnTest() : ClusterTest(ShortMemory()) { AddNode("node-0"); }

  static Config ShortMemory() {
    Config config = TestConfig();
    config.membership.limits.changes = 16;
    config.membership.limits.tombstones = 16;
    return config;
  }

  // Servers that nobody has seen before, at the address of one that lives.
  void Churn() {
    for (int i = 0; i < 300; ++i) {
      const std::string id = absl::StrCat("node-", ++number_);
      Watcher watcher(*registry_, "mTest");
      ASSERT_TRUE(
          Register(Registration(id, nodes_[0]->base_url(), false)).ok());
      const auto response = FanOut(GetCall("/info"));
      ASSERT_TRUE(response.ok()) << response.status();
      EXPECT_EQ(response->expected_count(), 2);
      ASSERT_TRUE(Unregister(id).ok());
    }
  }

  static std::size_t HeapBytes() {
    malloc_trim(0);
    return mallinfo2().uordblks;
  }

  int number_ = 0;
};

// COORD_CHURN_TURNS=300 takes about ten minutes.
TEST_F(ChurnTest, LeavesNoMemoryBehind) {
  const char* wanted = std::getenv("COORD_CHURN_TURNS");
  const int turns = wanted != nullptr ? std::atoi(wanted) : 3;
  Churn();  // fills what is bounded
  const std::size_t before = HeapBytes();
  if (before < 1024) GTEST_SKIP() << "this malloc does not say what it holds";
  for (int i = 0; i < turns; ++i) Churn();
  // One registration forgotten at each turn would be a megabyte.
  EXPECT_LT(HeapBytes(), before + (256 << 10));
}

Config TwoStreams() {
  Config config = TestConfig();
  config.grpc.max_streams = 2;
  return config;
}

class StreamLimitTest : public ClusterTest {
 protected:
  StreamLimitTest() : ClusterTest(TwoStreams()) {}

  absl::Status List(absl::Duration within) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + within));
    pb::ListClustersResponse response;
    return FromGrpcStatus(registry_->ListClusters(&context, {}, &response));
  }
};

TEST_F(StreamLimitTest, WhatIsOverItWaitsInTheClient) {
  Watcher first(*registry_, "mTest");
  first.Next();
  {
    Watcher second(*registry_, "mTest");
    second.Next();
    EXPECT_EQ(List(absl::Milliseconds(200)).code(),
              absl::StatusCode::kDeadlineExceeded);
  }
  EXPECT_TRUE(List(absl::Minutes(1)).ok());
}

Config WithCompression() {
  Config config = TestConfig();
  config.grpc.compression = true;
  return config;
}

// A list by a request that its client compresses.
absl::Status ListCompressed(pb::RegistryService::Stub& registry) {
  grpc::ClientContext context;
  context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  pb::ListClustersRequest request;
  request.set_page_token(std::string(100'000, 'x'));
  pb::ListClustersResponse response;
  return FromGrpcStatus(registry.ListClusters(&context, request, &response));
}

using CompressionTest = ClusterTest;

TEST_F(CompressionTest, CompressedRequestsAreRefused) {
  const absl::Status status = ListCompressed(*registry_);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("Compression algorithm 'gzip' is disabled"));
}

class CompressionOnTest : public ClusterTest {
 protected:
  CompressionOnTest() : ClusterTest(WithCompression()) {}
};

TEST_F(CompressionOnTest, CompressedRequestsAreTaken) {
  const absl::Status status = ListCompressed(*registry_);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
}

}  // namespace
}  // namespace coord
