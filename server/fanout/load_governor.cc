#include "server/fanout/load_governor.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace coord {
namespace {

constexpr absl::Duration kWindow = absl::Milliseconds(100);
// A loop that is busy for this share of the time has none to spare; what the
// hypervisor takes and interrupts count for nothing.
constexpr double kSaturated = 0.9;
// Of its time a call may take this share before it counts as late, and less
// than this share of calls may be late.
constexpr double kMayTake = 0.5;
constexpr double kMayBeLate = 0.1;
// By which share less of what is in use is let in after one window, or more of
// the capacity: all loops together.
constexpr double kLess = 0.3;
constexpr double kMore = 0.25;
constexpr double kSlightlyMore = 0.05;
// For each loop; enough to keep one busy.
constexpr int kLeastCapacity = 64;
constexpr int kAsManyAsConfigured = std::numeric_limits<int>::max();

}  // namespace

LoadGovernor::LoadGovernor(Admission& admission, int loops,
                           absl::Duration max_queue_time)
    : admission_(admission), loops_(loops), max_queue_time_(max_queue_time) {}

void LoadGovernor::OnCallEnded(EventLoop& loop, LoadWindow& window,
                               int node_calls, absl::Duration took,
                               absl::Duration allowed) {
  ++window.calls;
  if (took > allowed * kMayTake) ++window.late;
  window.in_use = std::max(window.in_use, admission_.node_calls() + node_calls);
  LookAt(loop, window);
}

void LoadGovernor::LookAt(EventLoop& loop, LoadWindow& window) {
  const absl::Time now = loop.Now();
  const absl::Duration length = now - window.start;
  if (length >= kWindow) {
    Judge(loop.Load(), window, length);
    window = {.start = now, .timer_runs = window.timer_runs};
  }
  // What fills a lowered capacity may not end for long.
  if (window.timer_runs || !admission_.IsLowered()) return;
  window.timer_runs = true;
  loop.RunAfter(kWindow, [this, &loop, &window] {
    window.timer_runs = false;
    LookAt(loop, window);
  });
}

void LoadGovernor::Judge(double load, const LoadWindow& window,
                         absl::Duration length) {
  const int capacity = admission_.capacity();
  const auto share = [this](int whole, double part) {
    return static_cast<int>(std::lround(whole * part / loops_));
  };
  if (load < kSaturated) {
    admission_.SetCapacity(capacity + share(capacity, kMore));
    if (!admission_.HasFullCapacity()) return;
    return admission_.SetMayWait(kAsManyAsConfigured);
  }
  if (window.late == 0 || window.late < window.calls * kMayBeLate) {
    admission_.SetCapacity(capacity + share(capacity, kSlightlyMore));
  } else {
    const int in_use = std::min(capacity, window.in_use);
    admission_.SetCapacity(
        std::max(kLeastCapacity * loops_, in_use - share(in_use, kLess)));
  }
  // More than have their turn in time would wait in vain.
  admission_.SetMayWait(static_cast<int>(
      loops_ * window.calls * absl::FDivDuration(max_queue_time_, length)));
}

}  // namespace coord
