// What can go wrong, in one table: each Reason belongs to one status code and
// travels inside an absl::Status until rpc/ turns it into google.rpc.ErrorInfo.
#ifndef COMMON_ERROR_H_
#define COMMON_ERROR_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace coord {

enum class Reason {
  kInvalidField,                  // INVALID_ARGUMENT
  kClusterNotFound,               // NOT_FOUND
  kServerNotFound,                // NOT_FOUND
  kLeaseExpired,                  // NOT_FOUND
  kClusterAmbiguous,              // FAILED_PRECONDITION
  kSessionSuperseded,             // FAILED_PRECONDITION
  kManagementOff,                 // FAILED_PRECONDITION
  kNotRegistered,                 // FAILED_PRECONDITION
  kPolicyImpossible,              // FAILED_PRECONDITION
  kTooFewServers,                 // FAILED_PRECONDITION
  kNothingStored,                 // FAILED_PRECONDITION
  kAuthorityRejectedCredentials,  // FAILED_PRECONDITION
  kEtagMismatch,                  // ABORTED
  kAuthorityUnavailable,          // UNAVAILABLE
  kStoreUnavailable,              // UNAVAILABLE
  kDraining,                      // UNAVAILABLE
  kTooManyRegistrations,          // RESOURCE_EXHAUSTED
  kTooManyClusters,               // RESOURCE_EXHAUSTED
  kTooManyCalls,                  // RESOURCE_EXHAUSTED
  kTooManyNodeCalls,              // RESOURCE_EXHAUSTED
  kTooManyWatchers,               // RESOURCE_EXHAUSTED
  kTooManyStreams,                // RESOURCE_EXHAUSTED
  kTooManyBackups,                // RESOURCE_EXHAUSTED
  kTooManyUnreadBytes,            // RESOURCE_EXHAUSTED
  kAnswerTooLarge,                // RESOURCE_EXHAUSTED
  kUnauthenticated,               // UNAUTHENTICATED
  kPermissionDenied,              // PERMISSION_DENIED
  kUnsupported,                   // UNIMPLEMENTED
  kCancelled,                     // CANCELLED
  kDeadlineExceeded,              // DEADLINE_EXCEEDED
  kAuthorityBadAnswer,            // INTERNAL
  kInternal,                      // INTERNAL
};

// As in ErrorInfo.reason: `CLUSTER_NOT_FOUND`.
std::string_view ReasonName(Reason reason);
// The inverse; nullopt for a name that is none of ours.
std::optional<Reason> ReasonFromName(std::string_view name);
absl::StatusCode CodeOf(Reason reason);

using ErrorMetadata = std::vector<std::pair<std::string, std::string>>;

struct FieldViolation {
  std::string field;        // `server.cluster_base_url`
  std::string description;  // `must be an absolute http or https URL`
};

// A status with the code of `reason`. `message` is action + object + cause in
// lower case, without secrets: `register mTest/node-1: authority answered 503`.
absl::Status MakeError(Reason reason, std::string_view message,
                       const ErrorMetadata& metadata = {});

// A limit is reached: `<action>: <limit> <what>, which is the limit
// (<setting>)`, such as `watch cluster: 2 watchers are open, which is the limit
// (--max-watchers)`. Limit and setting are in the metadata, too.
absl::Status LimitReached(Reason reason, std::string_view action,
                          std::string_view what, std::size_t limit,
                          std::string_view setting);

// INVALID_ARGUMENT about one field of a request: `<field>: <description>`.
absl::Status InvalidField(std::string_view field, std::string_view description);
// The same about several; none is OK.
absl::Status InvalidFields(const std::vector<FieldViolation>& violations);

// `status` with the wish to be asked again after `delay` (RetryInfo, pushback).
absl::Status WithRetryAfter(absl::Status status, absl::Duration delay);

// `status` with `prefix: ` before its message; code and details stay.
absl::Status Annotate(const absl::Status& status, std::string_view prefix);

// What MakeError and its friends put in. nullopt of the reason: the status was
// not made here.
struct ErrorDetail {
  std::optional<Reason> reason;
  ErrorMetadata metadata;
  std::vector<FieldViolation> violations;
  std::optional<absl::Duration> retry_after;
};
ErrorDetail DetailOf(const absl::Status& status);
// The inverse: `status` with `detail` instead of what it carried. OK stays OK.
absl::Status WithDetail(absl::Status status, const ErrorDetail& detail);

// Shorthand for tests of a status: does it carry this reason?
bool HasReason(const absl::Status& status, Reason reason);

}  // namespace coord

#endif  // COMMON_ERROR_H_
