// An event loop on a thread of its own.
#ifndef CLIENT_CPP_THREAD_LOOP_H_
#define CLIENT_CPP_THREAD_LOOP_H_

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "common/event_loop.h"

namespace coord {

class ThreadLoop final : public EventLoop {
 public:
  ThreadLoop();
  ~ThreadLoop() override;

  // Ends the thread after the task that runs now; what is left is destroyed
  // with the loop. Not on the loop. Calling it twice is fine.
  void Stop();

  void Post(Task task) override;
  TimerId RunAfter(absl::Duration delay, Task task) override;
  void Cancel(TimerId timer) override;
  absl::Time Now() const override;
  absl::Time WallTime() const override { return absl::Now(); }
  bool OnLoop() const override;

 private:
  void Run();
  // The next task that is due, after waiting for it; an empty one to stop.
  Task Next();

  // A standard condition variable, because it can wait for a clock that never
  // jumps. Guards all below but timers_, which belongs to the loop's thread.
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> posted_;
  bool stopped_ = false;

  std::map<std::pair<absl::Time, std::uint64_t>, Task> timers_;
  std::uint64_t last_timer_ = 0;
  std::thread thread_;  // last: it uses all above
};

}  // namespace coord

#endif  // CLIENT_CPP_THREAD_LOOP_H_
