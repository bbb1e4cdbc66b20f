// One unary call whose answer arrives on an event loop.
#ifndef CLIENT_CPP_ASYNC_CALL_H_
#define CLIENT_CPP_ASYNC_CALL_H_

#include <grpcpp/client_context.h>

#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/event_loop.h"
#include "common/grpc_status.h"

namespace coord {

// `start` is one of the functions of a stub's async(). Returns the context, to
// cancel the call with. `done` runs on `loop`, once, and `loop` must outlive
// it.
template <typename Request, typename Response, typename Start>
std::shared_ptr<grpc::ClientContext> StartCall(
    EventLoop& loop, Start start, const Request& request,
    absl::Duration timeout,
    absl::AnyInvocable<void(absl::StatusOr<Response>) &&> done) {
  struct State {
    grpc::ClientContext context;
    Request request;
    Response response;
    absl::AnyInvocable<void(absl::StatusOr<Response>) &&> done;
  };
  auto state = std::make_shared<State>();
  state->request = request;
  state->done = std::move(done);
  state->context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  // The loop alone may let go of the state: with it goes what may be the last
  // reference to the channel, which waits for gRPC's own threads.
  start(&state->context, &state->request, &state->response,
        [&loop, state](grpc::Status status) mutable {
          loop.Post(
              [state = std::move(state), status = std::move(status)]() mutable {
                if (status.ok()) {
                  std::move(state->done)(std::move(state->response));
                } else {
                  std::move(state->done)(FromGrpcStatus(status));
                }
              });
        });
  return {state, &state->context};
}

}  // namespace coord

#endif  // CLIENT_CPP_ASYNC_CALL_H_
