// The life of a session over real gRPC.
#include <memory>
#include <string>

#include "common/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/cluster_fixture.h"
#include "tests/support/watcher.h"

namespace coord {
namespace {

Config ShortLived() {
  Config config = TestConfig();
  config.registrar.min_ttl = absl::Milliseconds(1);
  return config;
}

class SessionsTest : public ClusterTest {
 protected:
  SessionsTest() : ClusterTest(ShortLived()) {}

  pb::KeepAliveResponse Beat(const std::string& session_id) {
    pb::KeepAliveRequest request;
    request.set_session_id(session_id);
    EXPECT_TRUE(keep_alive_->Write(request));
    pb::KeepAliveResponse response;
    EXPECT_TRUE(keep_alive_->Read(&response));
    return response;
  }

  static pb::RegisterServerRequest Node1() {
    return Registration("node-1", "http://127.0.0.1:1", false);
  }

  grpc::ClientContext keep_alive_context_;
  std::unique_ptr<
      grpc::ClientReaderWriter<pb::KeepAliveRequest, pb::KeepAliveResponse>>
      keep_alive_ = registry_->KeepAlive(&keep_alive_context_);
};

TEST_F(SessionsTest, KeepAliveThenSupersedeThenExpire) {
  const auto first = Register(Node1());
  ASSERT_TRUE(first.ok()) << first.status();
  Watcher watcher(*registry_, "mTest");
  ASSERT_EQ(watcher.Next().snapshot().servers_size(), 1);
  EXPECT_TRUE(Beat(first->session_id()).has_success());

  pb::RegisterServerRequest request = Node1();
  const auto second = Register(request);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_NE(second->session_id(), first->session_id());
  EXPECT_EQ(Beat(first->session_id()).error().reason(), "SESSION_SUPERSEDED");
  EXPECT_TRUE(Beat(second->session_id()).has_success());

  request.set_session_id(first->session_id());
  EXPECT_TRUE(
      HasReason(Register(request).status(), Reason::kSessionSuperseded));

  // As a retry of the second, with a ttl that is over in a moment.
  request.set_session_id(second->session_id());
  request.mutable_ttl()->set_seconds(0);
  request.mutable_ttl()->set_nanos(20'000'000);
  request.set_wait(false);
  ASSERT_TRUE(Register(request).ok());
  pb::WatchClusterResponse event;
  do {
    event = watcher.NextEvent();
    ASSERT_TRUE(event.has_change());
  } while (event.change().type() == pb::CHANGE_TYPE_UPDATED);
  EXPECT_EQ(event.change().server().server_id(), "node-1");
  EXPECT_EQ(Beat(second->session_id()).error().reason(), "LEASE_EXPIRED");
  request.mutable_ttl()->set_seconds(3600);
  EXPECT_TRUE(HasReason(Register(request).status(), Reason::kLeaseExpired));
}

TEST_F(SessionsTest, ARetryKeepsItsSession) {
  const auto first = Register(Node1());
  ASSERT_TRUE(first.ok()) << first.status();
  pb::RegisterServerRequest retry = Node1();
  retry.set_session_id(first->session_id());
  const auto again = Register(retry);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->session_id(), first->session_id());
  EXPECT_EQ(again->server().etag(), first->server().etag());
}

TEST_F(SessionsTest, UnregisterIsSeenByWatchers) {
  ASSERT_TRUE(Register(Node1()).ok());
  Watcher watcher(*registry_, "mTest");
  ASSERT_EQ(watcher.Next().snapshot().servers_size(), 1);
  const auto left = Unregister("node-1");
  ASSERT_TRUE(left.ok()) << left.status();
  EXPECT_EQ(left->server_count(), 1);
  EXPECT_EQ(left->errors_size(), 0);
  const pb::WatchClusterResponse event = watcher.NextEvent();
  EXPECT_EQ(event.change().type(), pb::CHANGE_TYPE_LEFT);
  EXPECT_EQ(event.change().server().server_id(), "node-1");
  EXPECT_TRUE(
      HasReason(Unregister("node-1").status(), Reason::kServerNotFound));
}

TEST_F(SessionsTest, DrainingIsSeenByWatchers) {
  ASSERT_TRUE(Register(Node1()).ok());
  Watcher watcher(*registry_, "mTest");
  ASSERT_EQ(watcher.Next().snapshot().servers_size(), 1);
  pb::DrainServerRequest request;
  request.set_type("mTest");
  request.set_server_id("node-1");
  pb::DrainServerResponse response;
  ASSERT_TRUE(
      Do(&pb::RegistryService::Stub::DrainServer, request, &response).ok());
  const pb::WatchClusterResponse event = watcher.NextEvent();
  EXPECT_EQ(event.change().type(), pb::CHANGE_TYPE_UPDATED);
  EXPECT_EQ(event.change().server().state(), pb::SERVER_STATE_DRAINING);
}

TEST_F(SessionsTest, AWatchResumesWhereItStood) {
  ASSERT_TRUE(Register(Node1()).ok());
  std::string token;
  {
    Watcher watcher(*registry_, "mTest");
    token = watcher.Next().snapshot().resume_token();
  }
  ASSERT_TRUE(
      Register(Registration("node-2", "http://127.0.0.1:2", false)).ok());
  ASSERT_TRUE(Unregister("node-1").ok());
  Watcher watcher(*registry_, "mTest", token);
  pb::WatchClusterResponse event = watcher.NextEvent();
  EXPECT_EQ(event.change().type(), pb::CHANGE_TYPE_JOINED);
  EXPECT_EQ(event.change().server().server_id(), "node-2");
  event = watcher.NextEvent();
  EXPECT_EQ(event.change().type(), pb::CHANGE_TYPE_LEFT);
  EXPECT_EQ(event.change().server().server_id(), "node-1");
}

class OtherProcessTest : public SessionsTest {
 protected:
  // A token of another life.
  static std::string ForeignToken() {
    struct Other : ClusterTest {
      void TestBody() override {}
      std::string Token() {
        EXPECT_TRUE(
            Register(Registration("x", "http://127.0.0.1:1", false)).ok());
        return Watcher(*registry_, "mTest").Next().snapshot().resume_token();
      }
    };
    return Other().Token();
  }
};

TEST_F(OtherProcessTest, ItsTokenMeansAReset) {
  ASSERT_TRUE(Register(Node1()).ok());
  Watcher watcher(*registry_, "mTest", ForeignToken());
  EXPECT_EQ(watcher.NextEvent().reset().reason(), "OTHER_PROCESS");
  const pb::WatchClusterResponse event = watcher.NextEvent();
  ASSERT_EQ(event.snapshot().servers_size(), 1);
  EXPECT_EQ(event.snapshot().servers(0).server_id(), "node-1");
}

}  // namespace
}  // namespace coord
