#include "client/cpp/watch_core.h"

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <utility>

#include "common/grpc_status.h"

namespace coord {
namespace {

bool IsFinal(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnimplemented:
      return true;
    default:
      return false;
  }
}

// The token that an event carries; empty for one that carries none. A reset
// makes the last one worthless.
std::string ResumeToken(const pb::WatchClusterResponse& event) {
  switch (event.event_case()) {
    case pb::WatchClusterResponse::kSnapshot:
      return event.snapshot().last() ? event.snapshot().resume_token() : "";
    case pb::WatchClusterResponse::kChange:
      return event.change().resume_token();
    case pb::WatchClusterResponse::kBookmark:
      return event.bookmark().resume_token();
    default:
      return "";
  }
}

}  // namespace

// Reads on gRPC's threads, one event at a time, and hands over to the loop.
class WatchCore::Stream final
    : public grpc::ClientReadReactor<pb::WatchClusterResponse> {
 public:
  static std::shared_ptr<Stream> Open(WatchCore& core) {
    std::shared_ptr<Stream> stream(new Stream(core));
    stream->self_ = stream;
    core.stub_->async()->WatchCluster(&stream->context_, &stream->request_,
                                      stream.get());
    stream->StartRead(&stream->event_);
    // The hold lets the loop start reads; a failed one lifts it.
    stream->AddHold();
    stream->StartCall();
    return stream;
  }

  void Cancel() { context_.TryCancel(); }

 private:
  explicit Stream(WatchCore& core)
      : core_(core), request_(core.options_.request) {}

  void OnReadDone(bool ok) override {
    core_.loop_.Post([this, ok, self = self_] {
      if (!ok) return RemoveHold();
      core_.OnEvent(event_);
      StartRead(&event_);
    });
  }

  void OnDone(const grpc::Status& status) override {
    core_.loop_.Post([this, status, self = std::move(self_)] {
      core_.OnStreamDone(FromGrpcStatus(status));
    });
  }

  WatchCore& core_;
  const pb::WatchClusterRequest request_;
  grpc::ClientContext context_;
  pb::WatchClusterResponse event_;
  std::shared_ptr<Stream> self_;  // until gRPC has let go
};

WatchCore::WatchCore(EventLoop& loop, std::shared_ptr<grpc::Channel> channel,
                     WatchOptions options, absl::BitGenRef random)
    : loop_(loop),
      stub_(pb::RegistryService::NewStub(std::move(channel))),
      options_(std::move(options)),
      random_(random) {}

void WatchCore::Start() {
  stream_ = Stream::Open(*this);
  StartTimer(options_.idle_timeout, [this] { stream_->Cancel(); });
}

void WatchCore::OnEvent(const pb::WatchClusterResponse& event) {
  if (on_closed_) return;
  losses_ = 0;
  // Empty in the midst of a snapshot: one that breaks off begins anew.
  options_.request.set_resume_token(ResumeToken(event));
  if (options_.callbacks.on_event) options_.callbacks.on_event(event);
  StartTimer(options_.idle_timeout, [this] { stream_->Cancel(); });
}

void WatchCore::OnStreamDone(const absl::Status& status) {
  stream_.reset();
  loop_.Cancel(timer_);
  if (on_closed_) return std::move(on_closed_)();
  if (IsFinal(status.code())) {
    if (options_.callbacks.on_stopped) options_.callbacks.on_stopped(status);
    return;
  }
  StartTimer(Backoff(options_.backoff, ++losses_, random_),
             [this] { Start(); });
  if (options_.callbacks.on_lost) {
    options_.callbacks.on_lost(
        status.ok() ? absl::UnavailableError("watch: clusterd ended the stream")
                    : status);
  }
}

void WatchCore::StartTimer(absl::Duration delay, EventLoop::Task task) {
  loop_.Cancel(timer_);
  timer_ = loop_.RunAfter(delay, std::move(task));
}

void WatchCore::Close(absl::AnyInvocable<void() &&> done) {
  loop_.Cancel(timer_);
  if (stream_ == nullptr) return std::move(done)();
  on_closed_ = std::move(done);
  stream_->Cancel();
}

}  // namespace coord
