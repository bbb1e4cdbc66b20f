// What a Session does, on an event loop.
#ifndef CLIENT_CPP_SESSION_CORE_H_
#define CLIENT_CPP_SESSION_CORE_H_

#include <grpcpp/channel.h>

#include <functional>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/random/bit_gen_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cpp/keep_alive_stream.h"
#include "client/cpp/session.h"
#include "common/event_loop.h"

namespace coord {

// Registers, keeps alive, comes back after a loss. Everything runs on one loop,
// which must outlive it. May be destroyed once Close has answered.
class SessionCore {
 public:
  using CloseCallback =
      absl::AnyInvocable<void(absl::StatusOr<pb::UnregisterServerResponse>) &&>;

  SessionCore(EventLoop& loop, std::shared_ptr<grpc::Channel> channel,
              SessionOptions options, absl::BitGenRef random);

  void Start() { Register(); }

  // Session::Close. Nothing of this is in flight any more when `done` runs. At
  // most once.
  void Close(CloseCallback done);

 private:
  void Register();
  void OnRegistered(absl::StatusOr<pb::RegisterServerResponse> response);
  // Keeps the session alive once more, on a new stream if there is none.
  void Send();
  void OnResponse(const pb::KeepAliveResponse& response);
  void OnAlive(const pb::KeepAliveSuccess& success);
  void OnStreamDone(const absl::Status& status);

  // Tells the loss and tries again after a wait.
  void Lose(const absl::Status& status);
  // clusterd answered and no longer knows the session: registers at once, if
  // that was not tried since a KeepAlive was last answered well.
  void RegisterAgain(const absl::Status& status);
  void TellLoss(const absl::Status& status);
  // Ends for good.
  void Stop(const absl::Status& status);
  void StartTimer(absl::Duration delay, EventLoop::Task task);

  void Unregister();
  // Once closing: answers if nothing is in flight.
  void MaybeClosed();

  EventLoop& loop_;
  const std::unique_ptr<pb::RegistryService::Stub> stub_;
  SessionOptions options_;
  absl::BitGenRef random_;

  pb::Registration registration_;  // without session_id: none is held
  int losses_ = 0;                 // since a KeepAlive was last answered well
  bool at_once_ = true;            // the next LEASE_EXPIRED needs no backoff
  TimerId timer_ = kNoTimer;       // to send, to give up an answer, or to retry
  std::function<void()> cancel_call_;        // set: a call is in flight
  std::shared_ptr<KeepAliveStream> stream_;  // until it is done

  CloseCallback on_closed_;  // set: closing
  absl::StatusOr<pb::UnregisterServerResponse> close_result_;
};

}  // namespace coord

#endif  // CLIENT_CPP_SESSION_CORE_H_
