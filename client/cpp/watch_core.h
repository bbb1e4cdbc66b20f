// What a ClusterWatch does, on an event loop.
#ifndef CLIENT_CPP_WATCH_CORE_H_
#define CLIENT_CPP_WATCH_CORE_H_

#include <grpcpp/channel.h>

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/random/bit_gen_ref.h"
#include "client/cpp/cluster_watch.h"
#include "common/event_loop.h"

namespace coord {

// Follows a cluster and comes back after a loss. Everything runs on one loop,
// which must outlive it. May be destroyed once Close has answered.
class WatchCore {
 public:
  WatchCore(EventLoop& loop, std::shared_ptr<grpc::Channel> channel,
            WatchOptions options, absl::BitGenRef random);

  void Start();
  // Nothing of this is in flight any more when `done` runs. At most once.
  void Close(absl::AnyInvocable<void() &&> done);

 private:
  class Stream;

  void OnEvent(const pb::WatchClusterResponse& event);
  void OnStreamDone(const absl::Status& status);
  void StartTimer(absl::Duration delay, EventLoop::Task task);

  EventLoop& loop_;
  const std::unique_ptr<pb::RegistryService::Stub> stub_;
  WatchOptions options_;
  absl::BitGenRef random_;
  int losses_ = 0;  // since the last event
  TimerId timer_ = kNoTimer;
  std::shared_ptr<Stream> stream_;
  absl::AnyInvocable<void() &&> on_closed_;  // set: closing
};

}  // namespace coord

#endif  // CLIENT_CPP_WATCH_CORE_H_
