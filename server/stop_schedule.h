// When a stop does what.
#ifndef SERVER_STOP_SCHEDULE_H_
#define SERVER_STOP_SCHEDULE_H_

#include <algorithm>

#include "absl/time/time.h"

namespace coord {

// All steps have one end, kMargin after the drain timeout: what one takes is
// missing to the next.
struct StopSchedule {
  static constexpr absl::Duration kMargin = absl::Seconds(2);

  // `unregister`: registrations are removed, for which the drain timeout, but
  // from 500 ms to 5 s, is the limit.
  StopSchedule(absl::Time now, absl::Duration drain_timeout, bool unregister)
      : unregister_timeout(std::clamp(drain_timeout, absl::Milliseconds(500),
                                      absl::Seconds(5))),
        drained(now + (unregister ? std::max(drain_timeout, unregister_timeout)
                                  : drain_timeout)),
        answered(drained + absl::Seconds(1)),
        cancelled(answered + absl::Milliseconds(400)),
        end(now + drain_timeout + kMargin) {}

  // How long calls that come are still answered, with DRAINING: gRPC drops one
  // that arrives while it shuts down, and a caller that is on its way would not
  // know what became of its call.
  static constexpr absl::Duration kLameDuck = absl::Milliseconds(200);

  absl::Duration unregister_timeout;
  // Calls in flight have had their time: each part ends what it waits for.
  absl::Time drained;
  // What that brought about has come through: calls that are still open are
  // answered in the place of whoever keeps them.
  absl::Time answered;
  // The answers have left, to callers that read slowly, too: connections are
  // cut.
  absl::Time cancelled;
  absl::Time end;
};

}  // namespace coord

#endif  // SERVER_STOP_SCHEDULE_H_
