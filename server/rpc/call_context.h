// What every handler does with the context of its call.
#ifndef SERVER_RPC_CALL_CONTEXT_H_
#define SERVER_RPC_CALL_CONTEXT_H_

#include <google/protobuf/message_lite.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/trace_context.h"
#include "server/rpc/slots.h"

namespace coord {

// Puts the caller's `x-correlation-id`, `traceparent` and `tracestate` into the
// initial metadata, which must not have been sent yet. A call without a
// correlation id gets one. Returns the correlation id.
std::string EchoMetadata(grpc::CallbackServerContext& context);

// The same without an id for a call that has none; empty then.
std::string EchoReceived(grpc::CallbackServerContext& context);

// The trace that the caller's metadata name; empty when they name none.
TraceContext TraceOf(const grpc::CallbackServerContext& context);

// What to finish the call with. UNAVAILABLE always says when to come back; a
// refusal for a limit also tells gRPC's own retries, in
// `grpc-retry-pushback-ms`.
grpc::Status FinalStatus(grpc::CallbackServerContext& context,
                         const absl::Status& status);

// How long an answer is still worth sending: until the caller's deadline, less
// the smaller of a tenth and `margin`; never negative, infinite without a
// deadline.
absl::Duration TimeLeft(const grpc::CallbackServerContext& context,
                        absl::Duration margin);

// UNAVAILABLE · DRAINING.
absl::Status ServerIsDraining();

// A unary call that is answered later, by whoever owns this. Destroyed
// unfinished, it answers that the server is draining: nobody is left to do it.
class UnaryCall {
 public:
  // In the handler, once for each call.
  explicit UnaryCall(grpc::CallbackServerContext* context)
      : UnaryCall(context, context->DefaultReactor()) {}
  UnaryCall(grpc::CallbackServerContext* context,
            grpc::ServerUnaryReactor* reactor)
      : context_(context),
        reactor_(reactor),
        correlation_id_(EchoMetadata(*context)) {}
  UnaryCall(UnaryCall&& other) noexcept
      : context_(other.context_),
        reactor_(std::exchange(other.reactor_, nullptr)),
        correlation_id_(std::move(other.correlation_id_)),
        slot_(std::move(other.slot_)) {}
  UnaryCall& operator=(UnaryCall&&) = delete;
  ~UnaryCall() {
    if (reactor_ != nullptr) Finish(ServerIsDraining());
  }

  // Takes a place among the calls that wait for somebody, until the end.
  // Errors: RESOURCE_EXHAUSTED · TOO_MANY_CALLS; INVALID_ARGUMENT when
  // `request`, which is held as long, is larger than `max_bytes`.
  absl::Status TakePlace(Slots& slots,
                         const google::protobuf::MessageLite& request,
                         std::size_t max_bytes = 64 << 10);

  // What the handler returns. Only before Finish.
  grpc::ServerUnaryReactor* reactor() const { return reactor_; }

  const std::string& correlation_id() const { return correlation_id_; }

  // Once. With OK the response that the handler was given is sent.
  void Finish(const absl::Status& status) {
    std::exchange(reactor_, nullptr)->Finish(FinalStatus(*context_, status));
  }

 private:
  grpc::CallbackServerContext* context_;
  grpc::ServerUnaryReactor* reactor_;
  std::string correlation_id_;
  std::optional<Slots::Slot> slot_;
};

}  // namespace coord

#endif  // SERVER_RPC_CALL_CONTEXT_H_
