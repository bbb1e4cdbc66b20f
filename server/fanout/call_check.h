// Whether a call is one that may be made at all.
#ifndef SERVER_FANOUT_CALL_CHECK_H_
#define SERVER_FANOUT_CALL_CHECK_H_

#include "absl/status/status.h"
#include "server/fanout/call.h"
#include "server/fanout/engine.h"

namespace coord {

// Whether a second execution does no harm: by the method, unless the call says.
bool IsIdempotent(const FanOutCall& call);

// Checks every field by itself. Errors: INVALID_ARGUMENT with one violation for
// each bad field, named as in FanOutRequest (`http.path`).
absl::Status CheckCall(const FanOutCall& call, const FanOutOptions& options);

}  // namespace coord

#endif  // SERVER_FANOUT_CALL_CHECK_H_
