// Follows the membership of one cluster, across lost connections.
#ifndef CLIENT_CPP_CLUSTER_WATCH_H_
#define CLIENT_CPP_CLUSTER_WATCH_H_

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/cpp/client.h"
#include "common/backoff.h"

namespace coord {

// Called one at a time on the watch's own thread, where they must not destroy
// the watch. While one runs, nothing more is read: clusterd resets a watch that
// is too slow. Each may be empty.
struct WatchCallbacks {
  // As WatchCluster gives them: a snapshot in chunks, then changes in order,
  // without gap or duplicate. A reset or another snapshot begins anew.
  std::function<void(const pb::WatchClusterResponse&)> on_event;
  // The connection was lost or an attempt to get it back failed; the next one
  // follows by itself and goes on where the last event left off.
  std::function<void(const absl::Status&)> on_lost;
  // Ended for good: clusterd refuses the request as it is
  // (INVALID_ARGUMENT, FAILED_PRECONDITION, UNAUTHENTICATED,
  // PERMISSION_DENIED, UNIMPLEMENTED).
  std::function<void(const absl::Status&)> on_stopped;
};

struct WatchOptions {
  pb::WatchClusterRequest request;
  BackoffPolicy backoff = {absl::Milliseconds(500), absl::Seconds(15)};
  // A connection that is silent for so long is lost. Must be more than
  // clusterd's bookmark interval.
  absl::Duration idle_timeout = absl::Seconds(35);
  WatchCallbacks callbacks;
};

// Thread-safe. Does not need the Client after construction.
class ClusterWatch {
 public:
  ClusterWatch(const Client& client, WatchOptions options);
  // Waits for a callback that runs; none is called afterwards.
  ~ClusterWatch();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace coord

#endif  // CLIENT_CPP_CLUSTER_WATCH_H_
