#include "client/cpp/session_core.h"

#include <algorithm>
#include <utility>

#include "absl/random/distributions.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/async_call.h"
#include "client/cpp/proto_time.h"
#include "common/error.h"

namespace coord {
namespace {

using Async = pb::RegistryService::StubInterface::async_interface;

constexpr double kJitter = 0.1;
// After LEASE_EXPIRED. Spreads those who lost their sessions in one moment.
constexpr absl::Duration kLongestWaitToRegister = absl::Milliseconds(250);

absl::Status ToStatus(const pb::KeepAliveError& error) {
  const auto reason = ReasonFromName(error.reason());
  if (reason.has_value()) return MakeError(*reason, error.message());
  return absl::NotFoundError(
      absl::StrCat(error.reason(), ": ", error.message()));
}

bool IsFinal(const absl::Status& status) {
  return HasReason(status, Reason::kSessionSuperseded) ||
         absl::IsInvalidArgument(status);
}

}  // namespace

SessionCore::SessionCore(EventLoop& loop,
                         std::shared_ptr<grpc::Channel> channel,
                         SessionOptions options, absl::BitGenRef random)
    : loop_(loop),
      stub_(pb::RegistryService::NewStub(std::move(channel))),
      options_(std::move(options)),
      random_(random) {
  BackoffPolicy& backoff = options_.backoff;
  backoff.initial = std::min(backoff.initial, options_.ttl / 6);
}

void SessionCore::Register() {
  pb::RegisterServerRequest request;
  *request.mutable_server() = options_.server;
  request.set_local_base_url(options_.local_base_url);
  *request.mutable_ttl() = ToProto(options_.ttl);
  using Response = pb::RegisterServerResponse;
  const auto call = AsyncCall<pb::RegisterServerRequest, Response>::Start(
      loop_, stub_->async(), &Async::RegisterServer, std::move(request),
      options_.call_timeout, [this](absl::StatusOr<Response> response) {
        cancel_call_ = nullptr;
        OnRegistered(std::move(response));
      });
  cancel_call_ = [call] { call->Cancel(); };
}

void SessionCore::OnRegistered(
    absl::StatusOr<pb::RegisterServerResponse> response) {
  if (response.ok()) registration_ = response->registration();
  if (on_closed_) {
    if (response.ok()) return Unregister();
    return MaybeClosed();
  }
  if (!response.ok()) {
    if (IsFinal(response.status())) return Stop(response.status());
    return Lose(response.status());
  }
  // A server_id that clusterd chose stays the server's.
  options_.server.set_server_id(registration_.server().server_id());
  if (options_.callbacks.on_update) options_.callbacks.on_update(registration_);
  Send();
}

void SessionCore::Send() {
  if (stream_ == nullptr) {
    stream_ = KeepAliveStream::Open(
        *stub_, loop_,
        {.on_response = [this](const auto& response) { OnResponse(response); },
         .on_done = [this](const auto& status) { OnStreamDone(status); }});
  }
  stream_->Send(registration_.session_id());
  StartTimer(options_.ttl / 3, [this] { stream_->Cancel(); });
}

void SessionCore::OnResponse(const pb::KeepAliveResponse& response) {
  const bool current = !registration_.session_id().empty() &&
                       registration_.session_id() == response.session_id();
  if (on_closed_ || !current) return;
  if (response.has_success()) return OnAlive(response.success());

  registration_.clear_session_id();
  const absl::Status status = ToStatus(response.error());
  if (IsFinal(status)) return Stop(status);
  RegisterAgain(status);
}

void SessionCore::OnAlive(const pb::KeepAliveSuccess& success) {
  losses_ = 0;
  at_once_ = true;
  registration_.mutable_server()->set_etag(success.etag());
  if (registration_.state() != success.state()) {
    registration_.set_state(success.state());
    if (options_.callbacks.on_update) {
      options_.callbacks.on_update(registration_);
    }
  }
  StartTimer(Jitter(options_.ttl / 3, kJitter, random_), [this] { Send(); });
}

void SessionCore::OnStreamDone(const absl::Status& status) {
  stream_.reset();
  if (on_closed_) return MaybeClosed();
  // Without a session, registering again is under way or out of the question.
  if (registration_.session_id().empty()) return;
  Lose(status.ok() ? absl::UnavailableError("keep alive: clusterd ended the "
                                            "stream")
                   : status);
}

void SessionCore::Lose(const absl::Status& status) {
  StartTimer(Backoff(options_.backoff, ++losses_, random_), [this] {
    if (registration_.session_id().empty()) {
      Register();
    } else {
      Send();
    }
  });
  TellLoss(status);
}

void SessionCore::RegisterAgain(const absl::Status& status) {
  if (!std::exchange(at_once_, false)) return Lose(status);
  losses_ = 0;
  StartTimer(kLongestWaitToRegister * absl::Uniform(random_, 0.0, 1.0),
             [this] { Register(); });
  TellLoss(status);
}

void SessionCore::TellLoss(const absl::Status& status) {
  if (options_.callbacks.on_lost) options_.callbacks.on_lost(status);
}

void SessionCore::Stop(const absl::Status& status) {
  loop_.Cancel(timer_);
  if (stream_ != nullptr) stream_->Cancel();
  if (options_.callbacks.on_stopped) options_.callbacks.on_stopped(status);
}

void SessionCore::StartTimer(absl::Duration delay, EventLoop::Task task) {
  loop_.Cancel(timer_);
  timer_ = loop_.RunAfter(delay, std::move(task));
}

void SessionCore::Close(CloseCallback done) {
  on_closed_ = std::move(done);
  close_result_ = MakeError(
      Reason::kNotRegistered,
      absl::StrCat("close session of ", options_.server.type(), "/",
                   options_.server.server_id(), ": it is not registered"));
  loop_.Cancel(timer_);
  if (stream_ != nullptr) stream_->Cancel();
  if (cancel_call_ != nullptr) {
    // It is awaited, because it may succeed.
    StartTimer(options_.call_timeout, cancel_call_);
  } else if (!registration_.session_id().empty()) {
    Unregister();
  } else {
    MaybeClosed();
  }
}

void SessionCore::Unregister() {
  loop_.Cancel(timer_);
  pb::UnregisterServerRequest request;
  request.set_type(registration_.server().type());
  request.set_server_id(registration_.server().server_id());
  request.set_session_id(registration_.session_id());
  using Response = pb::UnregisterServerResponse;
  const auto call = AsyncCall<pb::UnregisterServerRequest, Response>::Start(
      loop_, stub_->async(), &Async::UnregisterServer, std::move(request),
      options_.call_timeout, [this](absl::StatusOr<Response> response) {
        cancel_call_ = nullptr;
        close_result_ = std::move(response);
        MaybeClosed();
      });
  cancel_call_ = [call] { call->Cancel(); };
}

void SessionCore::MaybeClosed() {
  if (cancel_call_ != nullptr || stream_ != nullptr) return;
  loop_.Cancel(timer_);
  std::move(on_closed_)(std::move(close_result_));
}

}  // namespace coord
