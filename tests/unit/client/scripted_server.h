// A clusterd that says what a test tells it to, on a real socket.
#ifndef TESTS_UNIT_CLIENT_SCRIPTED_SERVER_H_
#define TESTS_UNIT_CLIENT_SCRIPTED_SERVER_H_

#include <grpcpp/server.h>
#include <grpcpp/server_context.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "client/cpp/client.h"
#include "common/error.h"

namespace coord {

grpc::Status Refuse(Reason reason, std::string_view message);

pb::KeepAliveResponse Alive(const pb::KeepAliveRequest& request);
pb::KeepAliveResponse Dead(const pb::KeepAliveRequest& request,
                           const std::string& reason);

// Every RPC answers what its function says, UNIMPLEMENTED without one. Set them
// before the first call; they run on gRPC's threads.
class ScriptedServer final {
 public:
  template <typename Request, typename Response>
  using Handler = std::function<grpc::Status(const Request&, Response*)>;

  // Listens in a file of its own, so that it can come back where it was.
  ScriptedServer();
  ~ScriptedServer();

  std::string address() const;
  Client Connect() const;

  void Start();
  // Breaks all connections.
  void Stop();

  // Registers as session-1, session-2, …
  Handler<pb::RegisterServerRequest, pb::RegisterServerResponse> on_register;
  // One of three servers leaves.
  Handler<pb::UnregisterServerRequest, pb::UnregisterServerResponse>
      on_unregister;
  // Alive. nullopt: no answer.
  std::function<std::optional<pb::KeepAliveResponse>(
      const pb::KeepAliveRequest&)>
      on_keep_alive = Alive;
  // The stream ends with what it returns.
  std::function<grpc::Status(const pb::WatchClusterRequest&,
                             grpc::ServerContext&,
                             grpc::ServerWriter<pb::WatchClusterResponse>&)>
      on_watch;
  Handler<pb::ListRegistrationsRequest, pb::ListRegistrationsResponse>
      on_list_registrations;
  Handler<pb::ListServersRequest, pb::ListServersResponse> on_list_servers;
  Handler<pb::EvictServerRequest, pb::EvictServerResponse> on_evict;
  Handler<pb::FanOutRequest, pb::FanOutResponse> on_fan_out;
  std::vector<pb::StreamFanOutResponse> fan_out_events;

  // What was asked, in order.
  std::vector<pb::RegisterServerRequest> registered() const;
  std::vector<pb::UnregisterServerRequest> unregistered() const;
  std::vector<pb::KeepAliveRequest> kept_alive() const;
  std::vector<pb::WatchClusterRequest> watched() const;
  std::vector<pb::FanOutRequest> fanned_out() const;

 private:
  class RegistryRpcs;
  class FanOutRpcs;

  const std::string path_;
  mutable absl::Mutex mutex_;
  std::vector<pb::RegisterServerRequest> registered_ ABSL_GUARDED_BY(mutex_);
  std::vector<pb::UnregisterServerRequest> unregistered_
      ABSL_GUARDED_BY(mutex_);
  std::vector<pb::KeepAliveRequest> kept_alive_ ABSL_GUARDED_BY(mutex_);
  std::vector<pb::WatchClusterRequest> watched_ ABSL_GUARDED_BY(mutex_);
  std::vector<pb::FanOutRequest> fanned_out_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<RegistryRpcs> registry_;
  std::unique_ptr<FanOutRpcs> fan_out_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace coord

#endif  // TESTS_UNIT_CLIENT_SCRIPTED_SERVER_H_
