#include "tests/unit/rpc/service_fixture.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/rpc/encode_fan_out.h"

namespace coord {
namespace {

const ClusterIdentity kCluster{"c1", "mTest", ""};

Server TestServer(const std::string& server_id, const std::string& base_url) {
  Server server;
  server.type = kCluster.type;
  server.server_id = server_id;
  server.cluster_base_url = base_url;
  server.update_time = absl::FromUnixSeconds(1'700'000'000);
  server.version = {"v1"};
  return server;
}

}  // namespace

ServiceTest::ServiceTest(RpcOptions options, MembershipOptions members,
                         std::string data_dir)
    : control_client_(*HttpClient::Create(loop_, resources_.get(), {})),
      lane_client_(*HttpClient::Create(lane_, resources_.get(), {})),
      database_(*Database::Open({.data_dir = std::move(data_dir)})),
      membership_(members, "epoch-1") {
  registry_ = *EmbeddedRegistry::Create(
      *database_, loop_, {},
      [this](const ClusterIdentity& cluster, const Change& change) {
        membership_.Apply(cluster, change, loop_.Now());
      });
  store_ = std::make_unique<RegistrationStore>(*database_);
  peers_ = std::make_unique<Peers>(
      loop_, *control_client_, nullptr, [](const Server&) { return false; },
      PeersOptions{});
  self_doubt_ = std::make_unique<SelfDoubt>(loop_, membership_, nullptr);
  registrar_ = std::make_unique<Registrar>(
      loop_, *registry_, *store_, membership_, *peers_, *self_doubt_,
      ignore_evictions_, RegistrarOptions{});
  list_ages_ = std::make_unique<ListAges>(loop_, *registrar_, *self_doubt_,
                                          absl::Seconds(60));
  evictor_ = std::make_unique<Evictor>(loop_, *registry_, *registrar_,
                                       membership_, *peers_, *self_doubt_,
                                       ignore_evictions_, EvictorOptions{});
  engine_ = std::make_unique<FanOutEngine>(
      FanOutOptions{},
      std::vector<FanOutEngine::Lane>{{&lane_, lane_client_.get()}},
      membership_, nullptr, *evictor_, *list_ages_, fan_out_record_,
      WireFormat());
  node_routes_ = std::make_unique<NodeRoutes>(loop_, membership_, *registrar_,
                                              /*follow_peers=*/true, nullptr);

  unread_ =
      std::make_unique<UnreadAnswers>(loop_, options.unread, unread_record_);
  const RpcBackend backend{
      loop_,        loop_,       membership_, *registrar_,   *evictor_,
      *self_doubt_, *list_ages_, *engine_,    *node_routes_, *database_,
      drain_,       *unread_,    end_};
  services_.push_back(NewRegistryService(backend, options));
  services_.push_back(NewFanOutService(backend, options));
  services_.push_back(NewNodeService(backend, options));
  services_.push_back(NewAdminService(backend));
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  for (const auto& service : services_) builder.RegisterService(service.get());
  server_ = builder.BuildAndStart();
  // What a caller does not read is not taken for it by a window that grows.
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  channel_ =
      grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", port),
                                grpc::InsecureChannelCredentials(), arguments);
  registry_stub_ = pb::RegistryService::NewStub(channel_);
  fan_out_stub_ = pb::FanOutService::NewStub(channel_);
  node_stub_ = pb::NodeService::NewStub(channel_);
  admin_stub_ = pb::AdminService::NewStub(channel_);
}

ServiceTest::~ServiceTest() {
  StopServing();
  resources_.Stop();
  lane_.Stop();
  loop_.Stop();
}

void ServiceTest::StopServing() {
  drain_.Drain();
  server_->Shutdown(absl::ToChronoTime(absl::Now() + absl::Seconds(30)));
  server_->Wait();
}

pb::Registration ServiceTest::Register(const std::string& server_id) {
  pb::RegisterServerRequest request;
  request.mutable_server()->set_type("mTest");
  request.mutable_server()->set_server_id(server_id);
  request.mutable_server()->set_cluster_base_url("http://127.0.0.1:1");
  request.mutable_ttl()->set_seconds(3600);
  request.set_wait(true);
  pb::RegisterServerResponse response;
  const grpc::Status status =
      Call(*registry_stub_, &pb::RegistryService::Stub::RegisterServer, request,
           &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.registration();
}

void ServiceTest::Join(int count, const std::string& base_url) {
  std::vector<Server> servers;
  for (int i = 0; i < count; ++i) {
    servers.push_back(TestServer(absl::StrFormat("s%04d", i), base_url));
  }
  membership_.Replace(kCluster, std::move(servers), membership_.Mark(),
                      loop_.Now());
}

void ServiceTest::Apply(ChangeType type, const std::string& server_id,
                        const std::string& base_url) {
  membership_.Apply(
      kCluster,
      {type, std::make_shared<Server>(TestServer(server_id, base_url))},
      loop_.Now());
}

}  // namespace coord
