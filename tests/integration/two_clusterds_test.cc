// Two clusterds under one authority, which sends lists and keeps only what mIT
// keeps of a server.
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/http/router.h"
#include "server/server.h"
#include "tests/contract/stand_in_mit.h"
#include "tests/support/cluster_fixture.h"
#include "tests/support/watcher.h"

namespace coord {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// The authority is there before the first clusterd starts.
struct WithMit {
  Config UnderMit(absl::Duration max_list_age) const {
    const Origin origin{.host = "127.0.0.1", .port = mit.port()};
    Config config = TestConfig();
    config.mit.emplace();
    config.mit->registry.url = {origin, "/mIT/v1"};
    config.mit->tokens.on = false;
    config.max_list_age = max_list_age;
    return config;
  }
  StandInMit mit{/*asks_for_tokens=*/false};
};

// The first clusterd is the fixture's.
class TwoClusterdsTest : private WithMit, public ClusterTest {
 protected:
  explicit TwoClusterdsTest(absl::Duration max_list_age = absl::Hours(1))
      : ClusterTest(UnderMit(max_list_age)),
        second_server_(*ClusterServer::Start(UnderMit(max_list_age))),
        second_channel_(
            grpc::CreateChannel(second_server_->grpc_address(),
                                grpc::InsecureChannelCredentials())),
        second_registry_(pb::RegistryService::NewStub(second_channel_)),
        second_fan_out_(pb::FanOutService::NewStub(second_channel_)) {}
  ~TwoClusterdsTest() override { EXPECT_TRUE(second_server_->Stop().ok()); }

  // A service that knows nothing of clusters, on the nodes' loop.
  std::string AddPlainService() {
    plain_ = *HttpListener::Start(
        node_loop_, {}, [](HttpServerRequest request, HttpReply reply) {
          std::move(reply)(absl::StrContains(request.path, "/itResources")
                               ? JsonError(404, "no such route")
                               : JsonAnswer(200, R"({"data":1})"));
        });
    return absl::StrCat("http://", plain_->address());
  }

  // A node that is registered at the second clusterd.
  HttpNode& AddNodeAtSecond(const std::string& server_id) {
    nodes_.push_back(std::make_unique<HttpNode>(node_loop_, server_id));
    pb::RegisterServerResponse response;
    grpc::ClientContext context;
    const grpc::Status status = second_registry_->RegisterServer(
        &context, Registration(server_id, nodes_.back()->base_url(), true),
        &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return *nodes_.back();
  }

  // The same call to one server, made by either.
  static pb::FanOutRequest CallTo(const std::string& server_id) {
    pb::FanOutRequest request = GetCall("/info");
    request.mutable_selection()->add_server_ids(server_id);
    return request;
  }
  pb::FanOutResponse AtFirst(const pb::FanOutRequest& request) {
    return Do(*fan_out_, request);
  }
  pb::FanOutResponse AtSecond(const pb::FanOutRequest& request) {
    return Do(*second_fan_out_, request);
  }

  std::unique_ptr<HttpListener> plain_;
  std::unique_ptr<ClusterServer> second_server_;
  std::shared_ptr<grpc::Channel> second_channel_;
  std::unique_ptr<pb::RegistryService::Stub> second_registry_;
  std::unique_ptr<pb::FanOutService::Stub> second_fan_out_;

 private:
  static pb::FanOutResponse Do(pb::FanOutService::Stub& stub,
                               const pb::FanOutRequest& request) {
    grpc::ClientContext context;
    pb::FanOutResponse response;
    const grpc::Status status = stub.FanOut(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
};

TEST_F(TwoClusterdsTest, APlainServiceIsAResultAtBoth) {
  ASSERT_TRUE(Register(Registration("plain", AddPlainService(), false)).ok());
  AddNodeAtSecond("node");
  for (const pb::FanOutResponse& response :
       {AtFirst(CallTo("plain")), AtSecond(CallTo("plain"))}) {
    EXPECT_EQ(response.verdict(), pb::VERDICT_COMPLETE)
        << response.ShortDebugString();
    EXPECT_EQ(response.data_json(), "[1]");
  }
}

// Who registered it knows that it serves the node API, and the other one learns
// it from its answers there.
TEST_F(TwoClusterdsTest, ANodeThatDoesNotNameItselfIsAWrongServerAtBoth) {
  AddNode("node-1").AnswerBy([](HttpServerRequest, HttpReply reply) {
    std::move(reply)(JsonAnswer(200, R"({"data":1})"));
  });
  AddNodeAtSecond("node-2");
  Watcher watcher(*second_registry_, "mTest");
  bool learned = false;
  while (!learned) {
    const pb::WatchClusterResponse event = watcher.NextEvent();
    ASSERT_TRUE(event.has_snapshot() || event.has_change());
    for (const pb::Server& server : event.snapshot().servers()) {
      learned |= server.server_id() == "node-1" && server.node_api();
    }
    const pb::Server& changed = event.change().server();
    learned |= changed.server_id() == "node-1" && changed.node_api();
  }
  for (const pb::FanOutResponse& response :
       {AtFirst(CallTo("node-1")), AtSecond(CallTo("node-1"))}) {
    ASSERT_EQ(response.failures_size(), 1) << response.ShortDebugString();
    EXPECT_EQ(response.failures(0).reason(), pb::FAILURE_REASON_WRONG_SERVER);
  }
}

TEST_F(TwoClusterdsTest, AnAnswerSaysHowOldItsListIs) {
  AddNode("node-1");
  pb::FanOutResponse response = AtFirst(CallTo("node-1"));
  EXPECT_EQ(response.verdict(), pb::VERDICT_COMPLETE);
  EXPECT_THAT(response.warnings(), IsEmpty());
  ASSERT_TRUE(response.has_membership_age());
  EXPECT_GT(
      response.membership_age().seconds() + response.membership_age().nanos(),
      0);

  // Nobody tells this clusterd of the cluster any more.
  ASSERT_TRUE(Unregister("node-1").ok());
  response = AtFirst(GetCall("/info"));
  EXPECT_EQ(response.expected_count(), 0);
  EXPECT_THAT(response.warnings(),
              ElementsAre(pb::WARNING_EMPTY, pb::WARNING_STALE));
  EXPECT_FALSE(response.has_membership_age());
}

class OldListTest : public TwoClusterdsTest {
 protected:
  // Every list is too old.
  OldListTest() : TwoClusterdsTest(absl::Nanoseconds(1)) {}
};

// Announcements go to nodes, and none that serves the node API is registered
// at the second clusterd: it hears of a new server from the authority only.
TEST_F(OldListTest, WhoAsksByAnOldListHasItFetchedAnew) {
  pb::RegisterServerResponse registered;
  grpc::ClientContext context;
  ASSERT_TRUE(second_registry_
                  ->RegisterServer(
                      &context, Registration("plain", AddPlainService(), false),
                      &registered)
                  .ok());
  AddNode("node-1");
  pb::FanOutResponse response = AtSecond(GetCall("/info"));
  EXPECT_EQ(response.verdict(), pb::VERDICT_COMPLETE);
  EXPECT_THAT(response.warnings(), ElementsAre(pb::WARNING_STALE));
  EXPECT_EQ(response.expected_count(), 1);
  while (response.expected_count() < 2) {
    response = AtSecond(GetCall("/info"));
    ASSERT_EQ(response.verdict(), pb::VERDICT_COMPLETE);
  }
}

}  // namespace
}  // namespace coord
