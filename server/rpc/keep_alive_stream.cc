#include "server/rpc/keep_alive_stream.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/text_view.h"
#include "server/rpc/call_context.h"
#include "server/rpc/convert.h"

namespace coord {
namespace {

// Lives on the backend's loop: what gRPC, the registrar and the drain signal
// say is posted there, so nothing here needs a lock. Tasks share ownership; the
// last share is given up when gRPC is done and no task waits.
class KeepAliveStream final
    : public grpc::ServerBidiReactor<pb::KeepAliveRequest,
                                     pb::KeepAliveResponse>,
      public std::enable_shared_from_this<KeepAliveStream> {
 public:
  KeepAliveStream(const RpcBackend& backend, std::optional<Slots::Slot> slot,
                  grpc::CallbackServerContext* context)
      : loop_(backend.loop),
        registrar_(backend.registrar),
        slot_(std::move(slot)),
        context_(*context) {}

  void Start(DrainSignal& drain) {
    self_ = shared_from_this();
    EchoMetadata(context_);
    StartSendInitialMetadata();
    StartRead(&request_);
    loop_.Post([self = self_, &drain] { self->Subscribe(drain); });
  }

  void OnReadDone(bool ok) override {
    Post(ok ? &KeepAliveStream::Handle : &KeepAliveStream::EndOfInput);
  }
  void OnWriteDone(bool ok) override {
    Post(ok ? &KeepAliveStream::Answered : &KeepAliveStream::EndOfInput);
  }
  void OnDone() override { self_.reset(); }

 private:
  void Post(void (KeepAliveStream::*step)()) {
    loop_.Post([self = shared_from_this(), step] { ((*self).*step)(); });
  }

  void Subscribe(DrainSignal& drain) {
    if (ended_) return;
    drain_ = drain.Subscribe([weak = weak_from_this()] {
      if (auto self = weak.lock()) self->Post(&KeepAliveStream::Drain);
    });
  }

  void Handle() {
    if (ended_) return;
    busy_ = true;
    response_.Clear();
    response_.set_session_id(request_.session_id());
    if (request_.session_id().empty() ||
        request_.session_id().size() > kMaxSessionIdBytes) {
      AnswerError("BAD_SESSION", absl::StrCat("session_id must be from 1 to ",
                                              kMaxSessionIdBytes, " bytes"));
      return;
    }
    // Should the registrar stop without an answer, the stream ends.
    auto abandoned = absl::MakeCleanup(
        [self = shared_from_this()] { self->Post(&KeepAliveStream::Abandon); });
    registrar_.KeepAlive(
        request_.session_id(),
        PostedTo(loop_,
                 [self = shared_from_this(), abandoned = std::move(abandoned)](
                     absl::StatusOr<KeepAliveAnswer> answer) mutable {
                   std::move(abandoned).Cancel();
                   self->Answer(std::move(answer));
                 }));
  }

  void Abandon() {
    busy_ = false;
    End(ServerIsDraining());
  }

  void Answer(absl::StatusOr<KeepAliveAnswer> answer) {
    if (!answer.ok()) {
      const auto reason = DetailOf(answer.status()).reason;
      if (reason == Reason::kLeaseExpired ||
          reason == Reason::kSessionSuperseded) {
        AnswerError(ReasonName(*reason), StdView(answer.status().message()));
      } else {
        // Not about this session: nothing can be kept alive here.
        busy_ = false;
        End(answer.status());
      }
      return;
    }
    pb::KeepAliveSuccess& success = *response_.mutable_success();
    ToProto(answer->time_left, success.mutable_time_left());
    success.set_etag(Utf8(std::move(answer->etag.text)));
    success.set_state(ToProto(answer->state));
    StartWrite(&response_);
  }

  void AnswerError(std::string_view reason, std::string_view message) {
    pb::KeepAliveError& error = *response_.mutable_error();
    error.set_reason(std::string(reason));
    error.set_message(Utf8(std::string(message)));
    StartWrite(&response_);
  }

  void Answered() {
    busy_ = false;
    if (draining_) {
      End(ServerIsDraining());
    } else if (!ended_) {
      StartRead(&request_);
    }
  }

  // The caller has said all, or is gone.
  void EndOfInput() {
    busy_ = false;
    End(absl::OkStatus());
  }

  void Drain() {
    draining_ = true;
    if (!busy_) End(ServerIsDraining());
  }

  void End(absl::Status status) {
    if (std::exchange(ended_, true)) return;
    drain_ = {};
    Finish(FinalStatus(context_, status));
  }

  EventLoop& loop_;
  Registrar& registrar_;
  const std::optional<Slots::Slot> slot_;
  grpc::CallbackServerContext& context_;
  std::shared_ptr<KeepAliveStream> self_;  // until OnDone
  DrainSignal::Subscription drain_;
  pb::KeepAliveRequest request_;
  pb::KeepAliveResponse response_;
  bool busy_ = false;  // between an item and the end of its answer
  bool draining_ = false;
  bool ended_ = false;
};

class RefusedKeepAlive final
    : public grpc::ServerBidiReactor<pb::KeepAliveRequest,
                                     pb::KeepAliveResponse> {
 public:
  RefusedKeepAlive(grpc::CallbackServerContext& context, int limit) {
    EchoMetadata(context);
    Finish(FinalStatus(
        context,
        LimitReached(Reason::kTooManyStreams, "keep sessions alive",
                     "streams are open", static_cast<std::size_t>(limit),
                     "--max-keep-alive-streams")));
  }
  void OnDone() override { delete this; }
};

}  // namespace

grpc::ServerBidiReactor<pb::KeepAliveRequest, pb::KeepAliveResponse>*
StartKeepAlive(const RpcBackend& backend, Slots& slots,
               grpc::CallbackServerContext* context) {
  std::optional<Slots::Slot> slot = slots.Take();
  if (!slot) return new RefusedKeepAlive(*context, slots.limit());
  auto stream =
      std::make_shared<KeepAliveStream>(backend, std::move(slot), context);
  stream->Start(backend.drain);
  return stream.get();
}

}  // namespace coord
