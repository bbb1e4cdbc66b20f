// The edge between absl::Status and gRPC, both ways. The only place that knows
// google.rpc.ErrorInfo.
#ifndef COMMON_GRPC_STATUS_H_
#define COMMON_GRPC_STATUS_H_

#include <grpcpp/support/status.h>

#include <string_view>

#include "absl/status/status.h"

namespace coord {

inline constexpr std::string_view kErrorDomain = "cluster.mimik";

// With ErrorInfo, and BadRequest or RetryInfo where the status has them. A
// status that carries no Reason of ours becomes INTERNAL unless its code is one
// that a caller can act on (never UNKNOWN), and the code's name is its reason.
// Texts are made valid UTF-8. The message is cut at 1 KiB and details end where
// they no longer fit, so that the trailers stay below 8 KiB.
grpc::Status ToGrpcStatus(const absl::Status& status);

// What a client received, with reason, metadata and violations where the
// server sent them.
absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace coord

#endif  // COMMON_GRPC_STATUS_H_
