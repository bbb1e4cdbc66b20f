#include <grpcpp/support/proto_buffer_reader.h>

#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/error.h"
#include "mimik/cluster/v1/fan_out_service.grpc.pb.h"
#include "server/rpc/call_context.h"
#include "server/rpc/convert.h"
#include "server/rpc/convert_fan_out.h"
#include "server/rpc/encode_fan_out.h"
#include "server/rpc/services.h"

namespace coord {
namespace {

using Context = grpc::CallbackServerContext;

// Never UNAVAILABLE: something may have been sent.
absl::Status Abandoned() {
  return MakeError(Reason::kCancelled, "fan out: the server stopped");
}

// Hands what the engine says to a reactor, and keeps it alive meanwhile. Given
// up without an end, it tells the reactor that.
template <typename Reactor>
class Sink final : public FanOutSink {
 public:
  explicit Sink(std::shared_ptr<Reactor> reactor)
      : reactor_(std::move(reactor)) {}
  ~Sink() override {
    if (reactor_ != nullptr) reactor_->OnEngineRefused(Abandoned());
  }
  std::size_t OnOutcome(NodeOutcome outcome) override {
    return reactor_->OnEngineOutcome(std::move(outcome));
  }
  void OnDone(FanOutAnswer answer) override {
    std::exchange(reactor_, nullptr)->OnEngineDone(std::move(answer));
  }
  void OnRefused(absl::Status status) override {
    std::exchange(reactor_, nullptr)->OnEngineRefused(std::move(status));
  }

 private:
  std::shared_ptr<Reactor> reactor_;
};

// What both reactors have in common: the engine's call, given up when gRPC's is
// cancelled. `Base` is the reactor of gRPC.
template <typename Derived, typename Base>
class FanOutReactor : public Base,
                      public std::enable_shared_from_this<Derived> {
 public:
  FanOutReactor(Context& context, UnreadAnswers& unread)
      : unread_(unread, context) {}

  // In the handler, once.
  void Start(FanOutEngine& engine, FanOutCall call, Delivery delivery) {
    self_ = this->shared_from_this();
    handle_ = engine.Start(std::move(call), delivery,
                           std::make_shared<Sink<Derived>>(self_));
  }

  // gRPC calls neither of them before the handler has returned.
  void OnCancel() override { handle_->Cancel(); }
  void OnDone() override {
    unread_.End();
    handle_.reset();
    self_.reset();
  }

 protected:
  UnreadAnswers::Caller& unread() { return unread_; }
  FanOutEngine::CallHandle& handle() { return *handle_; }

 private:
  UnreadAnswers::Caller unread_;
  std::shared_ptr<Derived> self_;  // until OnDone
  std::shared_ptr<FanOutEngine::CallHandle> handle_;
};

class UnaryFanOut final
    : public FanOutReactor<UnaryFanOut, grpc::ServerUnaryReactor> {
 public:
  UnaryFanOut(Context* context, grpc::ByteBuffer* response,
              UnreadAnswers& unread)
      : FanOutReactor(*context, unread),
        context_(*context),
        response_(*response) {}

  std::size_t OnEngineOutcome(NodeOutcome) { return 0; }
  void OnEngineDone(FanOutAnswer answer) {
    response_ = EncodeAnswer(std::move(answer));
    unread().Add(response_.Length());
    Finish(grpc::Status::OK);
  }
  void OnEngineRefused(absl::Status status) {
    Finish(FinalStatus(context_, status));
  }

 private:
  Context& context_;
  grpc::ByteBuffer& response_;
};

// Writes outcomes one at a time. Those that a slow reader makes wait are
// encoded already, and the engine hears of what it takes.
class StreamedFanOut final
    : public FanOutReactor<StreamedFanOut,
                           grpc::ServerWriteReactor<grpc::ByteBuffer>> {
 public:
  StreamedFanOut(Context* context, UnreadAnswers& unread)
      : FanOutReactor(*context, unread), context_(*context) {}

  std::size_t OnEngineOutcome(NodeOutcome outcome) {
    grpc::ByteBuffer event = EncodeEvent(std::move(outcome));
    const std::size_t bytes = event.Length();
    unread().Add(bytes);
    {
      absl::MutexLock lock(&mutex_);
      if (!broken_) waiting_.push_back(std::move(event));
    }
    WriteNext();
    return bytes;
  }
  void OnEngineDone(FanOutAnswer answer) { SetEnd(std::move(answer.summary)); }
  void OnEngineRefused(absl::Status status) { SetEnd(std::move(status)); }

  void OnWriteDone(bool ok) override {
    const std::size_t taken = response_.Length();
    response_.Clear();
    unread().Take(taken);
    handle().Taken(taken);
    {
      absl::MutexLock lock(&mutex_);
      writing_ = false;
      if (!ok) {
        broken_ = true;
        waiting_.clear();
      }
    }
    if (!ok) OnCancel();
    WriteNext();
  }

 private:
  using EndOfCall = absl::StatusOr<FanOutSummary>;

  void SetEnd(EndOfCall end) {
    {
      absl::MutexLock lock(&mutex_);
      end_ = std::move(end);
    }
    WriteNext();
  }

  // Whoever sets writing_ has the response to itself until OnWriteDone. The end
  // leaves it set.
  void WriteNext() {
    std::optional<EndOfCall> end;
    {
      absl::MutexLock lock(&mutex_);
      if (writing_ || (waiting_.empty() && !end_)) return;
      writing_ = true;
      if (waiting_.empty()) {
        end = std::move(end_);
      } else {
        response_.Swap(&waiting_.front());
        waiting_.pop_front();
      }
    }
    if (!end) {
      StartWrite(&response_);
    } else if (end->ok()) {
      summary_ = EncodeEvent(**std::move(end));
      StartWriteAndFinish(&summary_, grpc::WriteOptions(), grpc::Status::OK);
    } else {
      Finish(FinalStatus(context_, end->status()));
    }
  }

  Context& context_;
  grpc::ByteBuffer response_;  // the outcome that is being written
  grpc::ByteBuffer summary_;
  absl::Mutex mutex_;
  std::deque<grpc::ByteBuffer> waiting_ ABSL_GUARDED_BY(mutex_);
  std::optional<EndOfCall> end_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
};

// A stream that ends before it began.
class RefusedStream final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  explicit RefusedStream(grpc::Status status) { Finish(std::move(status)); }
  void OnDone() override { delete this; }
};

// Requests and responses as bytes, which are parsed and written here.
using RawService = pb::FanOutService::WithRawCallbackMethod_FanOut<
    pb::FanOutService::WithRawCallbackMethod_StreamFanOut<
        pb::FanOutService::Service>>;

template <typename Message>
absl::StatusOr<Message> Parse(const grpc::ByteBuffer& bytes) {
  grpc::ByteBuffer buffer = bytes;
  grpc::ProtoBufferReader reader(&buffer);
  Message message;
  if (!reader.status().ok() || !message.ParseFromZeroCopyStream(&reader)) {
    return InvalidField(
        "request", absl::StrCat("is no ", Message::descriptor()->full_name()));
  }
  return message;
}

class FanOutServiceImpl final : public RawService {
 public:
  FanOutServiceImpl(RpcBackend backend, RpcOptions options)
      : backend_(backend), options_(options) {}

  grpc::ServerUnaryReactor* FanOut(Context* context,
                                   const grpc::ByteBuffer* request,
                                   grpc::ByteBuffer* response) override {
    auto call = ReadCall(
        *context, [request] { return Parse<pb::FanOutRequest>(*request); });
    if (!call.ok()) {
      grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
      reactor->Finish(FinalStatus(*context, call.status()));
      return reactor;
    }
    auto reactor =
        std::make_shared<UnaryFanOut>(context, response, backend_.unread);
    reactor->Start(backend_.engine, *std::move(call), Delivery::kAtOnce);
    return reactor.get();
  }

  grpc::ServerWriteReactor<grpc::ByteBuffer>* StreamFanOut(
      Context* context, const grpc::ByteBuffer* request) override {
    auto call =
        ReadCall(*context, [request]() -> absl::StatusOr<pb::FanOutRequest> {
          auto stream = Parse<pb::StreamFanOutRequest>(*request);
          if (!stream.ok()) return stream.status();
          return std::move(*stream->mutable_request());
        });
    if (!call.ok()) {
      return new RefusedStream(FinalStatus(*context, call.status()));
    }
    auto reactor = std::make_shared<StreamedFanOut>(context, backend_.unread);
    reactor->Start(backend_.engine, *std::move(call), Delivery::kStreamed);
    return reactor.get();
  }

 private:
  // `parse` gives the FanOutRequest.
  template <typename ParseRequest>
  absl::StatusOr<FanOutCall> ReadCall(Context& context,
                                      const ParseRequest& parse) const {
    // Before anything is parsed: when too many come, refusing must be cheap.
    absl::Status open = backend_.engine.CheckOpen();
    if (open.ok()) {
      open = backend_.unread.CheckRoom();
      if (!open.ok()) backend_.engine.CountRefusal(open);
    }
    if (!open.ok()) {
      EchoReceived(context);
      return open;
    }
    std::string correlation_id = EchoMetadata(context);
    auto request = parse();
    auto call = request.ok() ? FromProto(*request)
                             : absl::StatusOr<FanOutCall>(request.status());
    if (!call.ok()) {
      backend_.engine.CountRefusal(call.status());
      return call;
    }
    call->correlation_id = std::move(correlation_id);
    call->trace = TraceOf(context);
    call->time_left = TimeLeft(context, options_.deadline_margin);
    return call;
  }

  const RpcBackend backend_;
  const RpcOptions options_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewFanOutService(RpcBackend backend,
                                                RpcOptions options) {
  return std::make_unique<FanOutServiceImpl>(backend, options);
}

}  // namespace coord
