#include "client/cpp/keep_alive_stream.h"

#include <utility>

#include "common/grpc_status.h"

namespace coord {

std::shared_ptr<KeepAliveStream> KeepAliveStream::Open(
    ::mimik::cluster::v1::RegistryService::Stub& stub, EventLoop& loop,
    Callbacks callbacks) {
  std::shared_ptr<KeepAliveStream> stream(
      new KeepAliveStream(loop, std::move(callbacks)));
  stream->self_ = stream;
  stub.async()->KeepAlive(&stream->context_, stream.get());
  stream->StartRead(&stream->response_);
  // The hold lets Send start writes from the loop, not only from a callback of
  // gRPC's; a failed read lifts it.
  stream->AddHold();
  stream->StartCall();
  return stream;
}

KeepAliveStream::KeepAliveStream(EventLoop& loop, Callbacks callbacks)
    : loop_(loop), callbacks_(std::move(callbacks)) {}

void KeepAliveStream::Send(std::string_view session_id) {
  if (ended_) return;
  if (writing_) {
    next_ = session_id;
    return;
  }
  writing_ = true;
  request_.set_session_id(std::string(session_id));
  StartWrite(&request_);
}

void KeepAliveStream::OnReadDone(bool ok) {
  loop_.Post([this, ok, self = self_] {
    if (ok) {
      callbacks_.on_response(response_);
      StartRead(&response_);
    } else {
      ended_ = true;
      RemoveHold();
    }
  });
}

void KeepAliveStream::OnWriteDone(bool ok) {
  loop_.Post([this, ok, self = self_] {
    writing_ = false;
    const auto next = std::exchange(next_, std::nullopt);
    if (ok && next.has_value()) Send(*next);
  });
}

void KeepAliveStream::OnDone(const grpc::Status& status) {
  loop_.Post([this, status, self = std::move(self_)] {
    callbacks_.on_done(FromGrpcStatus(status));
  });
}

}  // namespace coord
