// How long to wait before trying again.
#ifndef COMMON_BACKOFF_H_
#define COMMON_BACKOFF_H_

#include "absl/random/bit_gen_ref.h"
#include "absl/time/time.h"

namespace coord {

struct BackoffPolicy {
  absl::Duration initial = absl::Milliseconds(100);
  absl::Duration max = absl::Seconds(2);
};

// The wait before attempt `attempt` + 1, counted from 1: initial · 2^(attempt −
// 1), at most max, then drawn evenly from its upper half, so that callers who
// failed together do not return together.
absl::Duration Backoff(const BackoffPolicy& policy, int attempt,
                       absl::BitGenRef random);

// `duration` ± `fraction` of it, drawn evenly.
absl::Duration Jitter(absl::Duration duration, double fraction,
                      absl::BitGenRef random);

}  // namespace coord

#endif  // COMMON_BACKOFF_H_
