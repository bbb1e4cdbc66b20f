// What every handler does with the context of its call.
#ifndef SERVER_RPC_CALL_CONTEXT_H_
#define SERVER_RPC_CALL_CONTEXT_H_

#include <google/protobuf/message_lite.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/trace_context.h"
#include "server/core/caller.h"
#include "server/rpc/drain_signal.h"
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

// Who makes the call, as far as gRPC tells.
Caller CallerOf(const grpc::CallbackServerContext& context,
                std::string correlation_id);

// How long an answer is still worth sending: until the caller's deadline, less
// the smaller of a tenth and `margin`; never negative, infinite without a
// deadline; see time_left.h.
absl::Duration TimeLeft(const grpc::CallbackServerContext& context,
                        absl::Duration margin);

// UNAVAILABLE · DRAINING.
absl::Status ServerIsDraining();

// A unary call that is answered later, by whoever owns this; but by itself when
// it is destroyed unfinished, or when `end` comes first: then UNAVAILABLE ·
// DRAINING says that the outcome is not known. So gRPC never waits for a call
// that somebody keeps or drops.
class UnaryCall {
 public:
  // In the handler, once for each call.
  UnaryCall(DrainSignal& end, grpc::CallbackServerContext* context)
      : UnaryCall(end, context, context->DefaultReactor()) {}
  UnaryCall(DrainSignal& end, grpc::CallbackServerContext* context,
            grpc::ServerUnaryReactor* reactor);
  UnaryCall(UnaryCall&&) noexcept = default;
  UnaryCall& operator=(UnaryCall&&) = delete;
  ~UnaryCall();

  // Takes a place among the calls that wait for somebody, until the end.
  // Errors: RESOURCE_EXHAUSTED · TOO_MANY_CALLS; INVALID_ARGUMENT when
  // `request`, which is held as long, is larger than `max_bytes`.
  absl::Status TakePlace(Slots& slots,
                         const google::protobuf::MessageLite& request,
                         std::size_t max_bytes = 64 << 10);

  // What the handler returns. Only before Finish.
  grpc::ServerUnaryReactor* reactor() const { return open_->reactor; }

  const std::string& correlation_id() const { return correlation_id_; }
  Caller caller() const { return CallerOf(open_->context, correlation_id_); }

  // Once. With OK the response is sent as it is.
  void Finish(const absl::Status& status);

  // Once. `fill` writes the response that the handler was given; it is not
  // called when there is none to write, or no longer.
  template <typename T, typename Fill>
  void Finish(absl::StatusOr<T> answer, Fill fill) {
    if (!open_->Claim()) return;
    const absl::Status status = answer.status();
    if (status.ok()) fill(*std::move(answer));
    open_->Finish(status);
  }

 private:
  // Whoever claims it first answers.
  struct Open {
    grpc::CallbackServerContext& context;
    grpc::ServerUnaryReactor* const reactor;
    std::atomic<bool> claimed = false;

    bool Claim() { return !claimed.exchange(true); }
    void Finish(const absl::Status& status);
  };

  std::shared_ptr<Open> open_;  // nullptr once moved away
  std::string correlation_id_;
  std::optional<Slots::Slot> slot_;
  DrainSignal::Subscription end_;
};

}  // namespace coord

#endif  // SERVER_RPC_CALL_CONTEXT_H_
