// What gRPC alone costs: a callback server of the fan-out service that answers
// each call at once with nothing. Prints its address as one JSON line, then
// serves until it is terminated.
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <sys/prctl.h>

#include <csignal>
#include <cstdio>
#include <memory>

#include "mimik/cluster/v1/fan_out_service.grpc.pb.h"

namespace {

namespace pb = mimik::cluster::v1;

class Echo final : public pb::FanOutService::CallbackService {
 public:
  grpc::ServerUnaryReactor* FanOut(grpc::CallbackServerContext* context,
                                   const pb::FanOutRequest* /*request*/,
                                   pb::FanOutResponse* /*response*/) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

}  // namespace

int main() {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  Echo echo;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.RegisterService(&echo);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server) return 1;
  std::printf("{\"address\":\"127.0.0.1:%d\"}\n", port);
  std::fflush(stdout);
  server->Wait();
  return 0;
}
