#include "client/cpp/cluster_watch.h"

#include <utility>

#include "absl/random/random.h"
#include "absl/synchronization/notification.h"
#include "client/cpp/thread_loop.h"
#include "client/cpp/watch_core.h"

namespace coord {

class ClusterWatch::Impl {
 public:
  Impl(const Client& client, WatchOptions options)
      : core_(loop_, client.channel(), std::move(options), random_) {
    loop_.Post([this] { core_.Start(); });
  }

  ~Impl() {
    absl::Notification closed;
    loop_.Post(
        [this, &closed] { core_.Close([&closed] { closed.Notify(); }); });
    closed.WaitForNotification();
    loop_.Stop();
  }

 private:
  ThreadLoop loop_;
  absl::BitGen random_;
  WatchCore core_;
};

ClusterWatch::ClusterWatch(const Client& client, WatchOptions options)
    : impl_(std::make_unique<Impl>(client, std::move(options))) {}

ClusterWatch::~ClusterWatch() = default;

}  // namespace coord
