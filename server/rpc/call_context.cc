#include "server/rpc/call_context.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "common/correlation_id.h"
#include "common/error.h"
#include "common/grpc_status.h"
#include "common/ids.h"
#include "common/utf8.h"
#include "server/rpc/time_left.h"

namespace coord {
namespace {

constexpr char kCorrelationId[] = "x-correlation-id";
constexpr char kTraceParent[] = "traceparent";
constexpr char kTraceState[] = "tracestate";
constexpr char kUserAgent[] = "user-agent";
constexpr std::size_t kMaxIdBytes = 256;  // of what comes back
constexpr std::size_t kMaxUserAgentBytes = 256;
constexpr std::size_t kMaxTraceBytes = 512;
constexpr absl::Duration kDefaultRetryAfter = absl::Seconds(1);

// All that the caller sent by this name, joined by commas; empty: nothing.
std::string Received(const grpc::CallbackServerContext& context,
                     const char* name) {
  const auto [begin, end] = context.client_metadata().equal_range(name);
  std::string values;
  for (auto it = begin; it != end; ++it) {
    if (it != begin) values += ',';
    values.append(it->second.data(), it->second.size());
  }
  return values;
}

// The first of those; a call has one id.
std::string FirstReceived(const grpc::CallbackServerContext& context,
                          const char* name) {
  const auto it = context.client_metadata().find(name);
  if (it == context.client_metadata().end()) return {};
  return {it->second.data(), it->second.size()};
}

// Lets `value` come back, and returns what does. gRPC aborts the process on
// metadata that is not printable ASCII, so it is escaped.
std::string Echo(grpc::CallbackServerContext& context, const char* name,
                 std::string value, std::size_t max_bytes) {
  if (value.empty()) return value;
  value.resize(std::min(value.size(), max_bytes));
  value = EscapeHeaderValue(std::move(value));
  context.AddInitialMetadata(name, value);
  return value;
}

std::string FreshCorrelationId() {
  thread_local absl::BitGen random;
  return NextCorrelationId("", RandomUuid(random), absl::Now());
}

// A failure as gRPC tells it.
struct Failure {
  absl::Status cause;
  grpc::Status converted;
  std::string pushback_ms;  // empty: none
};

Failure Convert(const absl::Status& status) {
  Failure failure{status, {}, ""};
  const std::optional<absl::Duration> retry_after =
      DetailOf(status).retry_after;
  if (absl::IsResourceExhausted(status) && retry_after) {
    failure.pushback_ms = absl::StrCat(absl::ToInt64Milliseconds(*retry_after));
  }
  failure.converted =
      ToGrpcStatus(absl::IsUnavailable(status) && !retry_after
                       ? WithRetryAfter(status, kDefaultRetryAfter)
                       : status);
  return failure;
}

// Of a call that nobody answers any more.
absl::Status OutcomeUnknown() {
  return MakeError(Reason::kDraining,
                   "serve call: this clusterd stopped before it knew the "
                   "answer");
}

}  // namespace

std::string EchoReceived(grpc::CallbackServerContext& context) {
  Echo(context, kTraceParent, Received(context, kTraceParent), kMaxTraceBytes);
  Echo(context, kTraceState, Received(context, kTraceState), kMaxTraceBytes);
  return Echo(context, kCorrelationId, FirstReceived(context, kCorrelationId),
              kMaxIdBytes);
}

TraceContext TraceOf(const grpc::CallbackServerContext& context) {
  return ReadTraceContext(Received(context, kTraceParent),
                          Received(context, kTraceState));
}

std::string EchoMetadata(grpc::CallbackServerContext& context) {
  std::string id = EchoReceived(context);
  if (id.empty()) {
    id = FreshCorrelationId();
    context.AddInitialMetadata(kCorrelationId, id);
  }
  return id;
}

grpc::Status FinalStatus(grpc::CallbackServerContext& context,
                         const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  // Refusals for a limit are alike and come in crowds, when there is no time to
  // put each together.
  thread_local Failure last;
  if (last.cause != status) last = Convert(status);
  if (!last.pushback_ms.empty()) {
    context.AddTrailingMetadata("grpc-retry-pushback-ms", last.pushback_ms);
  }
  return last.converted;
}

Caller CallerOf(const grpc::CallbackServerContext& context,
                std::string correlation_id) {
  std::string user_agent = FirstReceived(context, kUserAgent);
  user_agent.resize(std::min(user_agent.size(), kMaxUserAgentBytes));
  return {context.peer(), std::move(correlation_id), std::move(user_agent)};
}

absl::Duration TimeLeft(const grpc::CallbackServerContext& context,
                        absl::Duration margin) {
  return TimeLeft(context.raw_deadline(), margin);
}

absl::Status UnaryCall::TakePlace(Slots& slots,
                                  const google::protobuf::MessageLite& request,
                                  std::size_t max_bytes) {
  if (request.ByteSizeLong() > max_bytes) {
    return InvalidField("request",
                        absl::StrCat("must be at most ", max_bytes, " bytes"));
  }
  slot_ = slots.Take();
  if (slot_) return absl::OkStatus();
  return LimitReached(Reason::kTooManyCalls, "serve call", "calls are waiting",
                      static_cast<std::size_t>(slots.limit()),
                      "--max-waiting-calls");
}

absl::Status ServerIsDraining() {
  return WithRetryAfter(
      MakeError(Reason::kDraining, "serve call: the server is shutting down"),
      kDefaultRetryAfter);
}

UnaryCall::UnaryCall(DrainSignal& end, grpc::CallbackServerContext* context,
                     grpc::ServerUnaryReactor* reactor)
    : open_(new Open{*context, reactor}),
      correlation_id_(EchoMetadata(*context)),
      end_(end.Subscribe([open = open_] {
        if (open->Claim()) open->Finish(OutcomeUnknown());
      })) {}

UnaryCall::~UnaryCall() {
  if (open_ != nullptr && open_->Claim()) open_->Finish(OutcomeUnknown());
}

void UnaryCall::Finish(const absl::Status& status) {
  if (open_->Claim()) open_->Finish(status);
}

void UnaryCall::Open::Finish(const absl::Status& status) {
  reactor->Finish(FinalStatus(context, status));
}

}  // namespace coord
