// Timers of one loop, cheap to set and to forget.
#ifndef SERVER_HTTP_TIMER_QUEUE_H_
#define SERVER_HTTP_TIMER_QUEUE_H_

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "common/event_loop.h"

namespace coord {

// A heap of moments beside a table of tasks. Forgetting a timer only removes
// its task; the moment stays in the heap until it comes up or until forgotten
// ones are the majority. Not thread-safe.
class TimerQueue {
 public:
  using Task = EventLoop::Task;

  TimerId Add(absl::Time due, Task task);

  // Returns the task, so that the caller destroys it; empty when it is gone.
  Task Remove(TimerId timer);

  // When the first timer is due; InfiniteFuture when there is none.
  absl::Time Next();

  // Takes the first task due at `now`, in order of time, then of Add. Empty
  // when none is due.
  Task TakeDue(absl::Time now);

  void Clear();

  // Moments kept, forgotten ones included.
  std::size_t heap_size() const { return heap_.size(); }

 private:
  struct Moment {
    absl::Time due;
    std::uint64_t id;
    // The standard heap has the greatest on top; the earliest belongs there.
    friend bool operator<(const Moment& a, const Moment& b) {
      return a.due != b.due ? a.due > b.due : a.id > b.id;
    }
  };

  void DropForgotten();
  void PopMoment();

  std::vector<Moment> heap_;
  absl::flat_hash_map<std::uint64_t, Task> tasks_;
  std::uint64_t last_id_ = 0;
};

}  // namespace coord

#endif  // SERVER_HTTP_TIMER_QUEUE_H_
