// One KeepAlive stream, seen from an event loop.
#ifndef CLIENT_CPP_KEEP_ALIVE_STREAM_H_
#define CLIENT_CPP_KEEP_ALIVE_STREAM_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/event_loop.h"
#include "mimik/cluster/v1/registry_service.grpc.pb.h"

namespace coord {

// Lives on one loop, where its callbacks run too. The loop must outlive it
// until `on_done` has run.
class KeepAliveStream final
    : public grpc::ClientBidiReactor<::mimik::cluster::v1::KeepAliveRequest,
                                     ::mimik::cluster::v1::KeepAliveResponse> {
 public:
  using Request = ::mimik::cluster::v1::KeepAliveRequest;
  using Response = ::mimik::cluster::v1::KeepAliveResponse;
  struct Callbacks {
    std::function<void(const Response&)> on_response;
    // The stream is over, and nothing comes after this. Runs once.
    std::function<void(const absl::Status&)> on_done;
  };

  static std::shared_ptr<KeepAliveStream> Open(
      ::mimik::cluster::v1::RegistryService::Stub& stub, EventLoop& loop,
      Callbacks callbacks);

  // Keeps a session alive once more. Ignored when the stream has ended.
  void Send(std::string_view session_id);
  // Harmless when it is over.
  void Cancel() { context_.TryCancel(); }

 private:
  KeepAliveStream(EventLoop& loop, Callbacks callbacks);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  EventLoop& loop_;
  const Callbacks callbacks_;
  grpc::ClientContext context_;
  Request request_;
  Response response_;
  bool writing_ = false;
  std::optional<std::string> next_;  // to send when the write is done
  bool ended_ = false;
  std::shared_ptr<KeepAliveStream> self_;  // until gRPC has let go
};

}  // namespace coord

#endif  // CLIENT_CPP_KEEP_ALIVE_STREAM_H_
