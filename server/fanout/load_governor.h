// Finds out how many node calls at once this process can answer in time.
#ifndef SERVER_FANOUT_LOAD_GOVERNOR_H_
#define SERVER_FANOUT_LOAD_GOVERNOR_H_

#include "absl/time/time.h"
#include "common/event_loop.h"
#include "server/fanout/admission.h"

namespace coord {

// The calls that ended on one loop since its load was last looked at.
struct LoadWindow {
  absl::Time start = absl::InfinitePast();
  int calls = 0;
  int late = 0;  // took more than half of their time
};

// No limit that somebody configures fits every machine and every cluster. While
// a loop is never idle, more calls at once only make each take longer; once
// they take more than half of the time that their callers give them, fewer are
// let in, and more again when they are quicker or the loop has time to spare.
// So a limit in this sense never idles a loop, slow nodes alone bring none
// about, and callers who have time enough are all let in. Thread-safe.
class LoadGovernor {
 public:
  // What is let in for a moment by `admission`, whose calls run on `loops`
  // loops, waits for `max_queue_time` at the most.
  LoadGovernor(Admission& admission, int loops, absl::Duration max_queue_time);

  // A call that had `allowed` ended on `loop` after `took`. On the loop.
  void OnCallEnded(EventLoop& loop, LoadWindow& window, absl::Duration took,
                   absl::Duration allowed);

 private:
  void Judge(double load, const LoadWindow& window, absl::Duration length);

  Admission& admission_;
  const int loops_;
  const absl::Duration max_queue_time_;
};

}  // namespace coord

#endif  // SERVER_FANOUT_LOAD_GOVERNOR_H_
