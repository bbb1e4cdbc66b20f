// A whole clusterd on free ports, its registry in memory, and real HTTP nodes.
#ifndef TESTS_SUPPORT_CLUSTER_FIXTURE_H_
#define TESTS_SUPPORT_CLUSTER_FIXTURE_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/grpc_status.h"
#include "gtest/gtest.h"
#include "mimik/cluster/v1/fan_out_service.grpc.pb.h"
#include "mimik/cluster/v1/registry_service.grpc.pb.h"
#include "server/config.h"
#include "server/http/asio_loop.h"
#include "server/server.h"
#include "tests/support/http_node.h"
#include "tests/support/raw_server.h"

namespace coord {

namespace pb = mimik::cluster::v1;

// Free ports, and no pause between the probes of a suspect.
Config TestConfig();

// A GET of `path` at all servers of mTest.
pb::FanOutRequest GetCall(const std::string& path);

class ClusterTest : public testing::Test {
 protected:
  explicit ClusterTest(const Config& config = TestConfig());
  ~ClusterTest() override;

  // Calls a unary method of the registry.
  template <typename Request, typename Response>
  absl::Status Do(grpc::Status (pb::RegistryService::Stub::*method)(
                      grpc::ClientContext*, const Request&, Response*),
                  const Request& request, Response* response) {
    grpc::ClientContext context;
    return FromGrpcStatus(
        (registry_.get()->*method)(&context, request, response));
  }

  // What a service of type mTest says to be registered for an hour.
  static pb::RegisterServerRequest Registration(const std::string& server_id,
                                                const std::string& base_url,
                                                bool node_api);
  absl::StatusOr<pb::Registration> Register(
      const pb::RegisterServerRequest& request);
  absl::StatusOr<pb::UnregisterServerResponse> Unregister(
      const std::string& server_id);

  // A node that is registered, with the node API.
  HttpNode& AddNode(const std::string& server_id);
  // The same on a given port.
  std::unique_ptr<HttpNode> StartNode(const std::string& server_id,
                                      std::uint16_t port = 0);
  // A registered server, without the node API, that follows a script.
  RawServer& AddRawNode(const std::string& server_id, RawServer::Script script);

  absl::StatusOr<pb::FanOutResponse> FanOut(const pb::FanOutRequest& request);

  AsioLoop node_loop_{"nodes"};
  std::vector<std::unique_ptr<HttpNode>> nodes_;
  std::vector<std::unique_ptr<RawServer>> raw_nodes_;
  std::unique_ptr<ClusterServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<pb::RegistryService::Stub> registry_;
  std::unique_ptr<pb::FanOutService::Stub> fan_out_;
};

}  // namespace coord

#endif  // TESTS_SUPPORT_CLUSTER_FIXTURE_H_
