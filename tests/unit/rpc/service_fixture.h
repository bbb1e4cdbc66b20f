// The services on a gRPC server of their own, over the real parts with an
// authority in memory.
#ifndef TESTS_UNIT_RPC_SERVICE_FIXTURE_H_
#define TESTS_UNIT_RPC_SERVICE_FIXTURE_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/server.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "gtest/gtest.h"
#include "mimik/cluster/v1/admin_service.grpc.pb.h"
#include "mimik/cluster/v1/fan_out_service.grpc.pb.h"
#include "mimik/cluster/v1/node_service.grpc.pb.h"
#include "mimik/cluster/v1/registry_service.grpc.pb.h"
#include "server/core/membership.h"
#include "server/fanout/engine.h"
#include "server/http/asio_loop.h"
#include "server/http/client.h"
#include "server/http/listener.h"
#include "server/node/evictor.h"
#include "server/node/list_ages.h"
#include "server/node/node_routes.h"
#include "server/node/peers.h"
#include "server/node/registrar.h"
#include "server/node/registration_store.h"
#include "server/registry/database.h"
#include "server/registry/embedded_registry.h"
#include "server/rpc/services.h"
#include "tests/support/client_resources.h"
#include "tests/support/log_capture.h"

namespace coord {

namespace pb = mimik::cluster::v1;

// Remembers why nodes failed.
class FanOutRecord final : public FanOutObserver {
 public:
  void OnCallStarted() override {}
  void OnCallEnded(const FanOutSummary&) override {}
  void OnCallRefused(const absl::Status&) override {}
  void OnCallWaited(absl::Duration) override {}
  void OnNodeOutcome(const NodeOutcome& outcome) override {
    if (outcome.kind != NodeOutcome::Kind::kFailure) return;
    absl::MutexLock lock(&mutex_);
    failures_.push_back(outcome.failure);
  }
  void OnRetry() override {}
  void OnHedge() override {}
  void OnHedgeWon() override {}

  std::vector<FailureReason> failures() const {
    absl::MutexLock lock(&mutex_);
    return failures_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<FailureReason> failures_ ABSL_GUARDED_BY(mutex_);
};

class IgnoreEvictions final : public EvictionObserver {
 public:
  void OnSuspected() override {}
  void OnEvicted(EvictionCause) override {}
  void OnCleared() override {}
  void OnKept() override {}
  void OnHeldBack() override {}
};

class UnreadRecord final : public UnreadObserver {
 public:
  void OnRefusedForUnread() override {}
  void OnUnreadGivenUp() override { ++given_up; }

  std::atomic<int> given_up = 0;
};

class ServiceTest : public testing::Test {
 protected:
  // Without a `data_dir` all is in memory.
  explicit ServiceTest(RpcOptions options = {}, MembershipOptions members = {},
                       std::string data_dir = "");
  ~ServiceTest() override;

  // A server that needs no probe, registered over RPC.
  pb::Registration Register(const std::string& server_id);
  // `count` servers, known to the membership alone, in the cluster `c1` of type
  // mTest; ids `s0000` and so on, all at `base_url`.
  void Join(int count, const std::string& base_url = "http://127.0.0.1:1");
  void Apply(ChangeType type, const std::string& server_id,
             const std::string& base_url = "http://127.0.0.1:1");

  // Stops the gRPC server as the composition root does.
  void StopServing();

  LogCapture log_;
  TestResources resources_;
  AsioLoop loop_{"control"};
  AsioLoop lane_{"lane"};
  std::unique_ptr<HttpClient> control_client_;
  std::unique_ptr<HttpClient> lane_client_;
  std::unique_ptr<Database> database_;
  Membership membership_;
  std::unique_ptr<EmbeddedRegistry> registry_;
  std::unique_ptr<RegistrationStore> store_;
  std::unique_ptr<Peers> peers_;
  std::unique_ptr<SelfDoubt> self_doubt_;
  IgnoreEvictions ignore_evictions_;
  std::unique_ptr<Registrar> registrar_;
  std::unique_ptr<ListAges> list_ages_;
  std::unique_ptr<Evictor> evictor_;
  FanOutRecord fan_out_record_;
  std::unique_ptr<FanOutEngine> engine_;
  std::unique_ptr<NodeRoutes> node_routes_;
  DrainSignal drain_;
  UnreadRecord unread_record_;
  std::unique_ptr<UnreadAnswers> unread_;
  DrainSignal end_;
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<pb::RegistryService::Stub> registry_stub_;
  std::unique_ptr<pb::FanOutService::Stub> fan_out_stub_;
  std::unique_ptr<pb::NodeService::Stub> node_stub_;
  std::unique_ptr<pb::AdminService::Stub> admin_stub_;
};

// Calls a unary method: `Call(*stub, &Stub::GetCluster, request, &response)`.
template <typename Stub, typename Request, typename Response>
grpc::Status Call(Stub& stub,
                  grpc::Status (Stub::*method)(grpc::ClientContext*,
                                               const Request&, Response*),
                  const Request& request, Response* response) {
  grpc::ClientContext context;
  return (stub.*method)(&context, request, response);
}

}  // namespace coord

#endif  // TESTS_UNIT_RPC_SERVICE_FIXTURE_H_
