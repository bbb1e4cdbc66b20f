#include <string>

#include "common/error.h"
#include "common/grpc_status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/rpc/service_fixture.h"

namespace coord {
namespace {

using Stub = pb::NodeService::Stub;
using testing::HasSubstr;

class NodeServiceTest : public ServiceTest {};

TEST_F(NodeServiceTest, AJoinIsMergedAndAnswered) {
  const std::string cluster_id = Register("node-1").cluster_id();
  pb::CreateItResourceRequest request;
  request.set_type("mTest");
  request.set_server_id("node-1");
  request.set_correlation_id("abc@4/D");
  request.set_body(
      R"({"id":")" + cluster_id +
      R"(","type":"mTest","publicBaseUrl":"",)"
      R"("servers":[{"serverId":"node-2","clusterBaseUrl":"http://10.0.0.2",)"
      R"("updatedAt":"2026-11-24T02:18:03.899Z"}]})");
  pb::CreateItResourceResponse response;
  const grpc::Status status =
      Call(*node_stub_, &Stub::CreateItResource, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.http_status(), 200) << response.body();
  EXPECT_THAT(response.body(), HasSubstr(R"("serverId":"node-2")"));
  bool correlated = false;
  for (const pb::Header& header : response.headers()) {
    if (header.name() != "x-correlation-id") continue;
    correlated = true;
    EXPECT_EQ(header.value(), "abc@5/D");
  }
  EXPECT_TRUE(correlated);
}

TEST_F(NodeServiceTest, ABadBodyIsAnAnswerNotAnError) {
  Register("node-1");
  pb::CreateItResourceRequest request;
  request.set_type("mTest");
  request.set_server_id("node-1");
  request.set_body("{");
  pb::CreateItResourceResponse response;
  ASSERT_TRUE(
      Call(*node_stub_, &Stub::CreateItResource, request, &response).ok());
  EXPECT_EQ(response.http_status(), 400);
}

TEST_F(NodeServiceTest, AProbeTellsWhoLivesThere) {
  Register("node-1");
  pb::DeleteServerRequest request;
  request.set_type("mTest");
  request.set_server_id("node-1");
  request.set_path_cluster_id("-");
  request.set_path_server_id("-");
  pb::DeleteServerResponse response;
  ASSERT_TRUE(Call(*node_stub_, &Stub::DeleteServer, request, &response).ok());
  EXPECT_EQ(response.http_status(), 200);
  EXPECT_EQ(response.body(), R"({"data":null,"server":{"serverId":"node-1"}})");
}

TEST_F(NodeServiceTest, AServerThatIsNotRegisteredHereIsAnError) {
  pb::CreateItResourceRequest join;
  join.set_type("mTest");
  join.set_server_id("node-1");
  join.set_body("{}");
  pb::CreateItResourceResponse joined;
  EXPECT_TRUE(HasReason(
      FromGrpcStatus(Call(*node_stub_, &Stub::CreateItResource, join, &joined)),
      Reason::kServerNotFound));

  pb::DeleteServerRequest leave;
  leave.set_type("mTest");
  leave.set_server_id("node-1");
  pb::DeleteServerResponse left;
  const absl::Status status =
      FromGrpcStatus(Call(*node_stub_, &Stub::DeleteServer, leave, &left));
  EXPECT_TRUE(HasReason(status, Reason::kServerNotFound));
  EXPECT_EQ(status.message(),
            "serve node API of mTest/node-1: not registered here");
}

TEST_F(NodeServiceTest, BadNamesAndLargeBodiesAreRefused) {
  pb::CreateItResourceRequest request;
  request.set_type("mTest");
  request.set_server_id("a/b");
  pb::CreateItResourceResponse response;
  absl::Status status = FromGrpcStatus(
      Call(*node_stub_, &Stub::CreateItResource, request, &response));
  EXPECT_TRUE(HasReason(status, Reason::kInvalidField));
  EXPECT_THAT(std::string(status.message()), HasSubstr("server_id"));

  request.set_server_id("node-1");
  request.set_body(std::string((1 << 20) + 1, 'x'));
  status = FromGrpcStatus(
      Call(*node_stub_, &Stub::CreateItResource, request, &response));
  EXPECT_TRUE(HasReason(status, Reason::kInvalidField));
  EXPECT_EQ(status.message(), "body: must be at most 1048576 bytes");
}

}  // namespace
}  // namespace coord
