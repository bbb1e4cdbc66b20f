// The gRPC face of the server.
#ifndef SERVER_RPC_SERVICES_H_
#define SERVER_RPC_SERVICES_H_

#include <grpcpp/impl/service_type.h>

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/event_loop.h"
#include "server/core/membership.h"
#include "server/fanout/engine.h"
#include "server/node/evictor.h"
#include "server/node/list_ages.h"
#include "server/node/node_routes.h"
#include "server/node/registrar.h"
#include "server/node/self_doubt.h"
#include "server/registry/database.h"
#include "server/rpc/drain_signal.h"
#include "server/rpc/unread_answers.h"

namespace coord {

struct RpcOptions {
  // Calls of the registry that wait for the store, the authority or others, and
  // as many of the node service.
  int max_waiting_calls = 10'000;
  int max_keep_alive_streams = 20'000;
  absl::Duration bookmark_interval = absl::Seconds(10);
  // Answers of a unary fan-out leave this much before the caller's deadline, or
  // a tenth of it, whichever is smaller.
  absl::Duration deadline_margin = absl::Milliseconds(50);
  UnreadAnswersOptions unread;
};

// What handlers call. Each handler converts, calls one function, converts back.
struct RpcBackend {
  // The registrar's; keep-alive streams live here.
  EventLoop& loop;
  // All other streams live here, and what takes long is converted. Both run
  // until the grpc::Server has shut down: without them no stream can end.
  EventLoop& streams;
  Membership& membership;
  Registrar& registrar;
  Evictor& evictor;
  const SelfDoubt& self_doubt;
  ListAges& list_ages;
  FanOutEngine& engine;
  NodeRoutes& node_routes;
  Database& database;
  // Its Drain ends every watch and keep-alive stream with DRAINING; to be
  // called before grpc::Server::Shutdown, which would wait for them.
  DrainSignal& drain;
  UnreadAnswers& unread;
  // Its Drain answers every unary call that is still open; to be called before
  // grpc::Server::Shutdown has waited for them in vain.
  DrainSignal& end;
};

// Each lives as long as the grpc::Server it is registered with.
std::unique_ptr<grpc::Service> NewRegistryService(RpcBackend backend,
                                                  RpcOptions options);
std::unique_ptr<grpc::Service> NewFanOutService(RpcBackend backend,
                                                RpcOptions options);
std::unique_ptr<grpc::Service> NewNodeService(RpcBackend backend,
                                              RpcOptions options);
std::unique_ptr<grpc::Service> NewAdminService(RpcBackend backend);

}  // namespace coord

#endif  // SERVER_RPC_SERVICES_H_
