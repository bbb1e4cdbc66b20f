// How much time a deadline leaves.
#ifndef SERVER_RPC_TIME_LEFT_H_
#define SERVER_RPC_TIME_LEFT_H_

#include <grpc/support/time.h>

#include "absl/time/time.h"

namespace coord {

// Until `deadline`, less the smaller of a tenth and `margin`; never negative. A
// deadline that is more than a year away is none: infinite. Clients that have
// no word for that say so, Go's with 292 years, and gRPC's own conversion to
// std::chrono takes those for past.
absl::Duration TimeLeft(gpr_timespec deadline, absl::Duration margin);

}  // namespace coord

#endif  // SERVER_RPC_TIME_LEFT_H_
