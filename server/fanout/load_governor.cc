#include "server/fanout/load_governor.h"

#include <algorithm>
#include <cmath>

namespace coord {
namespace {

constexpr absl::Duration kWindow = absl::Milliseconds(100);
// A loop that waits for its sockets for less than this share of the time has no
// time to spare.
constexpr double kSaturated = 0.97;
// Of its time a call may take this share before it counts as late, and this
// share of calls may be late.
constexpr double kMayTake = 0.5;
constexpr double kMayBeLate = 0.1;
// By how much the capacity changes after one window.
constexpr double kLess = 0.3;
constexpr double kMore = 0.25;
constexpr double kSlightlyMore = 0.05;
// For each loop; enough to keep one busy.
constexpr int kLeastCapacity = 64;

}  // namespace

LoadGovernor::LoadGovernor(Admission& admission, int loops,
                           absl::Duration max_queue_time)
    : admission_(admission), loops_(loops), max_queue_time_(max_queue_time) {}

void LoadGovernor::OnCallEnded(EventLoop& loop, LoadWindow& window,
                               absl::Duration took, absl::Duration allowed) {
  ++window.calls;
  if (took > allowed * kMayTake) ++window.late;
  const absl::Time now = loop.Now();
  if (now < window.start + kWindow) return;
  Judge(loop.Load(), window, now - window.start);
  window = {now};
}

void LoadGovernor::Judge(double load, const LoadWindow& window,
                         absl::Duration length) {
  const int capacity = admission_.capacity();
  if (load < kSaturated) {
    return admission_.SetCapacity(capacity + static_cast<int>(capacity * kMore),
                                  admission_.most_waiting());
  }
  if (window.late == 0) {
    return admission_.SetCapacity(
        capacity + static_cast<int>(capacity * kSlightlyMore / loops_),
        admission_.most_waiting());
  }
  if (window.late < window.calls * kMayBeLate) return;
  const int in_use = std::min(capacity, admission_.node_calls());
  // More would be let in too late to be worth their wait.
  const double calls_in_queue_time =
      loops_ * window.calls * absl::FDivDuration(max_queue_time_, length);
  admission_.SetCapacity(
      std::max(kLeastCapacity * loops_,
               static_cast<int>(std::lround(in_use * (1 - kLess / loops_)))),
      static_cast<int>(calls_in_queue_time));
}

}  // namespace coord
