// Finds out how many node calls at once this process can answer in time.
#ifndef SERVER_FANOUT_LOAD_GOVERNOR_H_
#define SERVER_FANOUT_LOAD_GOVERNOR_H_

#include "absl/time/time.h"
#include "common/event_loop.h"
#include "server/fanout/admission.h"

namespace coord {

// The calls that ended on one loop since its load was last looked at. Outlives
// the loop's thread.
struct LoadWindow {
  absl::Time start = absl::InfinitePast();
  int calls = 0;
  int late = 0;    // took more than half of their time
  int in_use = 0;  // node calls in flight, of all loops, at the most
  bool timer_runs = false;
};

// No limit that somebody configures fits every machine and every cluster. While
// a loop has no time to spare, more calls at once only make each take longer;
// once a tenth of them take more than half of the time that their callers give
// them, fewer are let in, and more again when they are quicker or the loop has
// time to spare. So slow nodes alone bring it about nowhere, no loop idles for
// it longer than a moment, and while hardly a call is late none is refused for
// it. Thread-safe.
class LoadGovernor {
 public:
  // Sets the capacity of `admission`, whose calls run on `loops` loops and wait
  // for `max_queue_time` at the most. Outlives the threads of the loops.
  LoadGovernor(Admission& admission, int loops, absl::Duration max_queue_time);

  // A call of `node_calls` at once that had `allowed` ended on `loop` after
  // `took`. On the loop, whose window is `window`.
  void OnCallEnded(EventLoop& loop, LoadWindow& window, int node_calls,
                   absl::Duration took, absl::Duration allowed);

 private:
  void LookAt(EventLoop& loop, LoadWindow& window);
  void Judge(double load, const LoadWindow& window, absl::Duration length);

  Admission& admission_;
  const int loops_;
  const absl::Duration max_queue_time_;
};

}  // namespace coord

#endif  // SERVER_FANOUT_LOAD_GOVERNOR_H_
