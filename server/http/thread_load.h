// How busy a thread is, by the system's own account.
#ifndef SERVER_HTTP_THREAD_LOAD_H_
#define SERVER_HTTP_THREAD_LOAD_H_

#include "absl/time/time.h"

namespace coord {

// Used by one thread only, whose load it tells.
class ThreadLoad {
 public:
  ThreadLoad() = default;
  ~ThreadLoad();
  ThreadLoad(const ThreadLoad&) = delete;
  ThreadLoad& operator=(const ThreadLoad&) = delete;

  // The share of the time since it was last asked in which the thread ran or
  // waited for a processor: 0 to 1. Neither is what interrupts or a hypervisor
  // took from it. 0 at the first time, and where the system keeps no account
  // (schedstat). `now` is of a clock that never jumps.
  double SinceLast(absl::Time now);

 private:
  int file_ = -1;
  absl::Time asked_ = absl::InfinitePast();
  absl::Duration busy_;
};

}  // namespace coord

#endif  // SERVER_HTTP_THREAD_LOAD_H_
