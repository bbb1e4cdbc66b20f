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

int Share(int whole, double share) {
  return static_cast<int>(std::lround(whole * share));
}

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
    return admission_.SetCapacity(capacity + Share(capacity, kMore),
                                  admission_.most_waiting());
  }
  // Who waits when more do than can have their turn in time waits in vain.
  const auto have_a_turn = static_cast<int>(
      loops_ * window.calls * absl::FDivDuration(max_queue_time_, length));
  if (window.late == 0) {
    admission_.SetCapacity(capacity + Share(capacity, kSlightlyMore / loops_),
                           have_a_turn);
  } else if (window.late < window.calls * kMayBeLate) {
    admission_.SetCapacity(capacity, have_a_turn);
  } else {
    const int in_use = std::min(capacity, admission_.node_calls());
    admission_.SetCapacity(std::max(kLeastCapacity * loops_,
                                    in_use - Share(in_use, kLess / loops_)),
                           have_a_turn);
  }
}

}  // namespace coord
