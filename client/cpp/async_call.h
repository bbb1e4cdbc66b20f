// One unary call whose answer arrives on an event loop.
#ifndef CLIENT_CPP_ASYNC_CALL_H_
#define CLIENT_CPP_ASYNC_CALL_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <memory>
#include <type_traits>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/event_loop.h"
#include "common/grpc_status.h"

namespace coord {

template <typename Request, typename Response>
class AsyncCall final : public grpc::ClientUnaryReactor {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<Response>) &&>;

  // `method` is one of a stub's async(). `done` runs on `loop`, once, and
  // `loop` must outlive it.
  template <typename Async>
  static std::shared_ptr<AsyncCall> Start(
      EventLoop& loop, std::type_identity_t<Async>* async,
      void (Async::*method)(grpc::ClientContext*, const Request*, Response*,
                            grpc::ClientUnaryReactor*),
      Request request, absl::Duration timeout, Done done) {
    std::shared_ptr<AsyncCall> call(
        new AsyncCall(loop, std::move(request), std::move(done)));
    call->self_ = call;
    call->context_.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
    (async->*method)(&call->context_, &call->request_, &call->response_,
                     call.get());
    call->StartCall();
    return call;
  }

  // Harmless when it is over.
  void Cancel() { context_.TryCancel(); }

 private:
  AsyncCall(EventLoop& loop, Request request, Done done)
      : loop_(loop), request_(std::move(request)), done_(std::move(done)) {}

  // The loop alone may let go of the call: with it goes what may be the last
  // reference to the channel, whose end waits for gRPC's threads.
  void OnDone(const grpc::Status& status) override {
    loop_.Post([this, status, self = std::move(self_)] {
      if (status.ok()) {
        std::move(done_)(std::move(response_));
      } else {
        std::move(done_)(FromGrpcStatus(status));
      }
    });
  }

  EventLoop& loop_;
  const Request request_;
  Done done_;
  grpc::ClientContext context_;
  Response response_;
  std::shared_ptr<AsyncCall> self_;  // until gRPC has let go
};

}  // namespace coord

#endif  // CLIENT_CPP_ASYNC_CALL_H_
