#include "tests/support/cluster_fixture.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace coord {

Config TestConfig() {
  Config config;
  config.grpc_address = "127.0.0.1:0";
  config.http_address = "127.0.0.1:0";
  config.listener.port = 0;
  config.evictor.probe_pause = absl::Milliseconds(1);
  // What a test leaves open is not waited for.
  config.drain_timeout = absl::Milliseconds(100);
  return config;
}

pb::FanOutRequest GetCall(const std::string& path) {
  pb::FanOutRequest request;
  request.set_type("mTest");
  request.mutable_http()->set_path(path);
  return request;
}

ClusterTest::ClusterTest(const Config& config)
    : server_(*ClusterServer::Start(config)),
      channel_(grpc::CreateChannel(server_->grpc_address(),
                                   grpc::InsecureChannelCredentials())),
      registry_(pb::RegistryService::NewStub(channel_)),
      fan_out_(pb::FanOutService::NewStub(channel_)) {}

ClusterTest::~ClusterTest() { server_->Stop().IgnoreError(); }

pb::RegisterServerRequest ClusterTest::Registration(
    const std::string& server_id, const std::string& base_url, bool node_api) {
  pb::RegisterServerRequest request;
  request.mutable_server()->set_type("mTest");
  request.mutable_server()->set_server_id(server_id);
  request.mutable_server()->set_cluster_base_url(base_url);
  request.mutable_server()->set_node_api(node_api);
  request.mutable_ttl()->set_seconds(3600);
  request.set_wait(true);
  return request;
}

absl::StatusOr<pb::Registration> ClusterTest::Register(
    const pb::RegisterServerRequest& request) {
  pb::RegisterServerResponse response;
  const absl::Status status =
      Do(&pb::RegistryService::Stub::RegisterServer, request, &response);
  if (!status.ok()) return status;
  return response.registration();
}

absl::StatusOr<pb::UnregisterServerResponse> ClusterTest::Unregister(
    const std::string& server_id) {
  pb::UnregisterServerRequest request;
  request.set_type("mTest");
  request.set_server_id(server_id);
  pb::UnregisterServerResponse response;
  const absl::Status status =
      Do(&pb::RegistryService::Stub::UnregisterServer, request, &response);
  if (!status.ok()) return status;
  return response;
}

HttpNode& ClusterTest::AddNode(const std::string& server_id) {
  nodes_.push_back(StartNode(server_id));
  return *nodes_.back();
}

std::unique_ptr<HttpNode> ClusterTest::StartNode(const std::string& server_id,
                                                 std::uint16_t port) {
  auto node = std::make_unique<HttpNode>(node_loop_, server_id, port);
  const auto registered =
      Register(Registration(server_id, node->base_url(), true));
  EXPECT_TRUE(registered.ok()) << registered.status();
  return node;
}

RawServer& ClusterTest::AddRawNode(const std::string& server_id,
                                   RawServer::Script script) {
  raw_nodes_.push_back(std::make_unique<RawServer>(std::move(script)));
  const auto registered = Register(Registration(
      server_id, absl::StrCat("http://127.0.0.1:", raw_nodes_.back()->port()),
      false));
  EXPECT_TRUE(registered.ok()) << registered.status();
  return *raw_nodes_.back();
}

absl::StatusOr<pb::FanOutResponse> ClusterTest::FanOut(
    const pb::FanOutRequest& request) {
  grpc::ClientContext context;
  pb::FanOutResponse response;
  const absl::Status status =
      FromGrpcStatus(fan_out_->FanOut(&context, request, &response));
  if (!status.ok()) return status;
  return response;
}

}  // namespace coord
