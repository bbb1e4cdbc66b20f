#include "common/backoff.h"

#include <algorithm>
#include <cmath>

#include "absl/random/distributions.h"

namespace coord {

absl::Duration Backoff(const BackoffPolicy& policy, int attempt,
                       absl::BitGenRef random) {
  // Duration saturates, so no attempt is too many.
  const double factor = std::ldexp(1.0, std::clamp(attempt - 1, 0, 62));
  const absl::Duration whole = std::min(policy.initial * factor, policy.max);
  return whole * absl::Uniform(absl::IntervalClosed, random, 0.5, 1.0);
}

absl::Duration Jitter(absl::Duration duration, double fraction,
                      absl::BitGenRef random) {
  return duration * absl::Uniform(absl::IntervalClosed, random, 1.0 - fraction,
                                  1.0 + fraction);
}

}  // namespace coord
