// The gRPC listener: how services are served, not what they do.
#ifndef SERVER_GRPC_LISTENER_H_
#define SERVER_GRPC_LISTENER_H_

#include <grpcpp/server.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace coord {

struct GrpcListenerOptions {
  int max_message_bytes = 8 << 20;  // of those received
  // On one connection. Without a limit a client that sends faster than gRPC
  // takes calls in has them queue up here, where nobody counts them, until all
  // are too late. By default more than max_calls and max_queued_calls, so that
  // those tell.
  int max_streams = 2048;
  // Whether compressed messages are taken. gRPC judges the size of one once it
  // is inflated: 254 KiB may become 366 MiB first.
  bool compression = false;
};

// Serves `services` with health (one status for each service, and the empty
// name for all) and reflection.
class GrpcListener {
 public:
  // Listens on `address`, `host:port`. Errors: UNAVAILABLE, for example `listen
  // for gRPC on 127.0.0.1:7700: address already in use`.
  static absl::StatusOr<std::unique_ptr<GrpcListener>> Start(
      const std::string& address, const GrpcListenerOptions& options,
      std::vector<std::unique_ptr<grpc::Service>> services);
  // Stops at once, if Stop was not called.
  ~GrpcListener();

  // The effective address.
  const std::string& address() const { return address_; }

  void SetServing(bool serving);

  // Accepts no more calls, gives those in flight `grace`, cancels the rest.
  // Blocks, beyond that until each handler has finished: all that they wait
  // for must have an end. Twice is once.
  void Stop(absl::Duration grace);

 private:
  GrpcListener() = default;

  std::string address_;
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace coord

#endif  // SERVER_GRPC_LISTENER_H_
