#include "server/rpc/time_left.h"

#include <algorithm>

namespace coord {
namespace {

constexpr absl::Duration kFarthestDeadline = absl::Hours(24 * 365);

}  // namespace

absl::Duration TimeLeft(gpr_timespec deadline, absl::Duration margin) {
  const gpr_timespec until =
      gpr_time_sub(deadline, gpr_now(deadline.clock_type));
  const absl::Duration left =
      absl::Seconds(until.tv_sec) + absl::Nanoseconds(until.tv_nsec);
  if (left > kFarthestDeadline) return absl::InfiniteDuration();
  return std::max(left - std::min(left / 10, margin), absl::ZeroDuration());
}

}  // namespace coord
