// How long a registration waits before it answers the next claim that it is
// gone.
#ifndef SERVER_NODE_CONTEST_BACKOFF_H_
#define SERVER_NODE_CONTEST_BACKOFF_H_

#include "absl/random/bit_gen_ref.h"
#include "absl/time/time.h"
#include "common/backoff.h"

namespace coord {

// The first answer goes at once, the next ones after 1 s to 5 min, so that two
// parties who disagree do not fill the network; ten minutes without a claim
// after an answer end it. Not thread-safe.
class ContestBackoff {
 public:
  absl::Duration Next(absl::Time now, absl::BitGenRef random) {
    if (now - last_answer_ >= kQuiet) answered_ = 0;
    const int attempt = answered_++;
    const absl::Duration wait =
        attempt == 0
            ? absl::ZeroDuration()
            : Backoff({absl::Seconds(1), absl::Minutes(5)}, attempt, random);
    last_answer_ = now + wait;
    return wait;
  }

 private:
  static constexpr absl::Duration kQuiet = absl::Minutes(10);
  int answered_ = 0;
  absl::Time last_answer_ = absl::InfinitePast();
};

}  // namespace coord

#endif  // SERVER_NODE_CONTEST_BACKOFF_H_
