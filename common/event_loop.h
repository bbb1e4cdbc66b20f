// The seam to time and threads. What runs on one loop never races with anything
// else on it, so classes that live on a loop need no locks; tests drive a
// ManualLoop by hand and never sleep.
#ifndef COMMON_EVENT_LOOP_H_
#define COMMON_EVENT_LOOP_H_

#include <cstdint>
#include <tuple>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"

namespace coord {

enum class TimerId : std::uint64_t {};
inline constexpr TimerId kNoTimer{0};

class EventLoop {
 public:
  using Task = absl::AnyInvocable<void() &&>;

  virtual ~EventLoop() = default;

  // Runs `task` on the loop, after everything posted before by this thread.
  // Never inside Post. Thread-safe. A task posted to a stopped loop is
  // destroyed without being run.
  virtual void Post(Task task) = 0;

  // Runs `task` once `delay` has passed; never inside RunAfter, not even for a
  // delay of zero or less. Only on the loop.
  virtual TimerId RunAfter(absl::Duration delay, Task task) = 0;

  // Forgets a timer; its task is destroyed. Harmless for kNoTimer and for a
  // timer that has run. Only on the loop.
  virtual void Cancel(TimerId timer) = 0;

  // A clock that never jumps, for durations and deadlines. Thread-safe.
  virtual absl::Time Now() const = 0;

  // The time of day, for dates in records and for people. Thread-safe.
  virtual absl::Time WallTime() const = 0;

  // The share of the time since it was last asked in which the loop's thread
  // had something to do, 0 to 1; 0 where that is not known. Only on the loop.
  virtual double Load() { return 0; }

  // Whether the calling thread is the one that runs this loop.
  virtual bool OnLoop() const = 0;
};

// A callback that, called from anywhere, runs `f` on `loop` with what it was
// called with. `loop` must outlive it.
template <typename F>
auto PostedTo(EventLoop& loop, F f) {
  return [&loop, f = std::move(f)](auto&&... args) mutable {
    loop.Post([f = std::move(f), args = std::tuple(std::forward<decltype(args)>(
                                     args)...)]() mutable {
      std::apply(std::move(f), std::move(args));
    });
  };
}

}  // namespace coord

#endif  // COMMON_EVENT_LOOP_H_
