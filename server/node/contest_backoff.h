// How long a registration waits before it answers the next claim that it is
// gone.
#ifndef SERVER_NODE_CONTEST_BACKOFF_H_
#define SERVER_NODE_CONTEST_BACKOFF_H_

#include "absl/random/bit_gen_ref.h"
#include "absl/time/time.h"
#include "common/backoff.h"

namespace coord {

// The first answer goes at once, the next ones after 1 s to 5 min, so that two
// parties who disagree do not fill the network; ten quiet minutes end it. Not
// thread-safe.
class ContestBackoff {
 public:
  absl::Duration Next(absl::Time now, absl::BitGenRef random) {
    if (now - last_ > kQuiet) answered_ = 0;
    last_ = now;
    const int attempt = answered_++;
    if (attempt == 0) return absl::ZeroDuration();
    return Backoff({absl::Seconds(1), absl::Minutes(5)}, attempt, random);
  }

 private:
  static constexpr absl::Duration kQuiet = absl::Minutes(10);
  int answered_ = 0;
  absl::Time last_ = absl::InfinitePast();
};

}  // namespace coord

#endif  // SERVER_NODE_CONTEST_BACKOFF_H_
