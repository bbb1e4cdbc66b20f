// How late an event loop is.
#ifndef SERVER_LOOP_DELAY_H_
#define SERVER_LOOP_DELAY_H_

#include <functional>

#include "absl/time/time.h"
#include "common/event_loop.h"

namespace coord {

// Has the loop do next to nothing every 20 ms, and tells how long after it was
// due. While the loop is busy for longer than that, each time that falls due
// counts. Lives on the loop, which must have stopped when it ends.
class LoopDelay {
 public:
  static constexpr absl::Duration kPeriod = absl::Milliseconds(20);

  LoopDelay(EventLoop& loop, std::function<void(absl::Duration)> tell);

 private:
  void Arm();
  void Tick();

  EventLoop& loop_;
  const std::function<void(absl::Duration)> tell_;
  absl::Time due_;
};

}  // namespace coord

#endif  // SERVER_LOOP_DELAY_H_
