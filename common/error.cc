#include "common/error.h"

#include <array>
#include <cstdint>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/text_view.h"

namespace coord {
namespace {

// Under these names details travel as payloads of an absl::Status.
constexpr std::string_view kReasonUrl = "coord/reason";
constexpr std::string_view kMetadataUrl = "coord/metadata";
constexpr std::string_view kViolationsUrl = "coord/violations";
constexpr std::string_view kRetryAfterUrl = "coord/retry-after-ns";

struct ReasonRow {
  Reason reason;
  std::string_view name;
  absl::StatusCode code;
};

using Code = absl::StatusCode;

// In the order of the enum.
constexpr std::array kReasons = {
    ReasonRow{Reason::kInvalidField, "INVALID_FIELD", Code::kInvalidArgument},
    ReasonRow{Reason::kClusterNotFound, "CLUSTER_NOT_FOUND", Code::kNotFound},
    ReasonRow{Reason::kServerNotFound, "SERVER_NOT_FOUND", Code::kNotFound},
    ReasonRow{Reason::kLeaseExpired, "LEASE_EXPIRED", Code::kNotFound},
    ReasonRow{Reason::kClusterAmbiguous, "CLUSTER_AMBIGUOUS",
              Code::kFailedPrecondition},
    ReasonRow{Reason::kSessionSuperseded, "SESSION_SUPERSEDED",
              Code::kFailedPrecondition},
    ReasonRow{Reason::kManagementOff, "MANAGEMENT_OFF",
              Code::kFailedPrecondition},
    ReasonRow{Reason::kNotRegistered, "NOT_REGISTERED",
              Code::kFailedPrecondition},
    ReasonRow{Reason::kPolicyImpossible, "POLICY_IMPOSSIBLE",
              Code::kFailedPrecondition},
    ReasonRow{Reason::kTooFewServers, "TOO_FEW_SERVERS",
              Code::kFailedPrecondition},
    ReasonRow{Reason::kNothingStored, "NOTHING_STORED",
              Code::kFailedPrecondition},
    ReasonRow{Reason::kAuthorityRejectedCredentials,
              "AUTHORITY_REJECTED_CREDENTIALS", Code::kFailedPrecondition},
    ReasonRow{Reason::kEtagMismatch, "ETAG_MISMATCH", Code::kAborted},
    ReasonRow{Reason::kAuthorityUnavailable, "AUTHORITY_UNAVAILABLE",
              Code::kUnavailable},
    ReasonRow{Reason::kStoreUnavailable, "STORE_UNAVAILABLE",
              Code::kUnavailable},
    ReasonRow{Reason::kDraining, "DRAINING", Code::kUnavailable},
    ReasonRow{Reason::kTooManyRegistrations, "TOO_MANY_REGISTRATIONS",
              Code::kResourceExhausted},
    ReasonRow{Reason::kTooManyClusters, "TOO_MANY_CLUSTERS",
              Code::kResourceExhausted},
    ReasonRow{Reason::kTooManyCalls, "TOO_MANY_CALLS",
              Code::kResourceExhausted},
    ReasonRow{Reason::kTooManyNodeCalls, "TOO_MANY_NODE_CALLS",
              Code::kResourceExhausted},
    ReasonRow{Reason::kTooManyWatchers, "TOO_MANY_WATCHERS",
              Code::kResourceExhausted},
    ReasonRow{Reason::kTooManyStreams, "TOO_MANY_STREAMS",
              Code::kResourceExhausted},
    ReasonRow{Reason::kTooManyBackups, "TOO_MANY_BACKUPS",
              Code::kResourceExhausted},
    ReasonRow{Reason::kTooManyUnreadBytes, "TOO_MANY_UNREAD_BYTES",
              Code::kResourceExhausted},
    ReasonRow{Reason::kAnswerTooLarge, "ANSWER_TOO_LARGE",
              Code::kResourceExhausted},
    ReasonRow{Reason::kUnauthenticated, "UNAUTHENTICATED",
              Code::kUnauthenticated},
    ReasonRow{Reason::kPermissionDenied, "PERMISSION_DENIED",
              Code::kPermissionDenied},
    ReasonRow{Reason::kUnsupported, "UNSUPPORTED", Code::kUnimplemented},
    ReasonRow{Reason::kCancelled, "CANCELLED", Code::kCancelled},
    ReasonRow{Reason::kDeadlineExceeded, "DEADLINE_EXCEEDED",
              Code::kDeadlineExceeded},
    ReasonRow{Reason::kAuthorityBadAnswer, "AUTHORITY_BAD_ANSWER",
              Code::kInternal},
    ReasonRow{Reason::kInternal, "INTERNAL", Code::kInternal},
};

constexpr bool InEnumOrder() {
  for (std::size_t i = 0; i < kReasons.size(); ++i) {
    if (static_cast<std::size_t>(kReasons[i].reason) != i) return false;
  }
  return static_cast<std::size_t>(Reason::kInternal) + 1 == kReasons.size();
}
static_assert(InEnumOrder());

const ReasonRow& RowOf(Reason reason) {
  return kReasons[static_cast<std::size_t>(reason)];
}

// Pairs of texts as `<length>:<bytes>` one after the other: one payload keeps
// their order, which several would not.
template <typename Pairs>
std::string Pack(const Pairs& pairs) {
  std::string packed;
  for (const auto& [first, second] : pairs) {
    absl::StrAppend(&packed, first.size(), ":", first, second.size(), ":",
                    second);
  }
  return packed;
}

// Takes one text off the front; false when there is none.
bool TakeText(std::string_view& packed, std::string& text) {
  const std::size_t colon = packed.find(':');
  std::size_t size = 0;
  if (colon == packed.npos ||
      !absl::SimpleAtoi(AbslView(packed.substr(0, colon)), &size)) {
    return false;
  }
  packed.remove_prefix(colon + 1);
  if (size > packed.size()) return false;
  text = packed.substr(0, size);
  packed.remove_prefix(size);
  return true;
}

template <typename Pair>
std::vector<Pair> Unpack(std::string_view packed) {
  std::vector<Pair> pairs;
  std::string first, second;
  while (TakeText(packed, first) && TakeText(packed, second)) {
    pairs.push_back({std::move(first), std::move(second)});
  }
  return pairs;
}

std::string PayloadOf(const absl::Status& status, std::string_view url) {
  return std::string(status.GetPayload(AbslView(url)).value_or(absl::Cord()));
}

void SetPayload(absl::Status& status, std::string_view url,
                std::string_view text) {
  if (text.empty()) {
    status.ErasePayload(AbslView(url));
  } else {
    status.SetPayload(AbslView(url), absl::Cord(AbslView(text)));
  }
}

}  // namespace

std::string_view ReasonName(Reason reason) { return RowOf(reason).name; }

std::optional<Reason> ReasonFromName(std::string_view name) {
  for (const ReasonRow& row : kReasons) {
    if (row.name == name) return row.reason;
  }
  return std::nullopt;
}

absl::StatusCode CodeOf(Reason reason) { return RowOf(reason).code; }

absl::Status MakeError(Reason reason, std::string_view message,
                       const ErrorMetadata& metadata) {
  return WithDetail(absl::Status(CodeOf(reason), AbslView(message)),
                    {.reason = reason, .metadata = metadata});
}

absl::Status LimitReached(Reason reason, std::string_view action,
                          std::string_view what, std::size_t limit,
                          std::string_view setting) {
  return MakeError(
      reason,
      absl::StrCat(AbslView(action), ": ", limit, " ", AbslView(what),
                   ", which is the limit (", AbslView(setting), ")"),
      {{"limit", absl::StrCat(limit)}, {"setting", std::string(setting)}});
}

absl::Status InvalidField(std::string_view field,
                          std::string_view description) {
  return InvalidFields({{std::string(field), std::string(description)}});
}

absl::Status InvalidFields(const std::vector<FieldViolation>& violations) {
  if (violations.empty()) return absl::OkStatus();
  const std::string message = absl::StrJoin(
      violations, "; ", [](std::string* out, const FieldViolation& violation) {
        absl::StrAppend(out, violation.field, ": ", violation.description);
      });
  return WithDetail(
      absl::InvalidArgumentError(message),
      {.reason = Reason::kInvalidField, .violations = violations});
}

absl::Status WithRetryAfter(absl::Status status, absl::Duration delay) {
  ErrorDetail detail = DetailOf(status);
  detail.retry_after = delay;
  return WithDetail(std::move(status), detail);
}

absl::Status Annotate(const absl::Status& status, std::string_view prefix) {
  if (status.ok()) return status;
  return WithDetail(
      absl::Status(status.code(),
                   absl::StrCat(AbslView(prefix), ": ", status.message())),
      DetailOf(status));
}

ErrorDetail DetailOf(const absl::Status& status) {
  ErrorDetail detail;
  if (status.ok()) return detail;
  detail.reason = ReasonFromName(PayloadOf(status, kReasonUrl));
  detail.metadata =
      Unpack<ErrorMetadata::value_type>(PayloadOf(status, kMetadataUrl));
  detail.violations = Unpack<FieldViolation>(PayloadOf(status, kViolationsUrl));
  std::int64_t nanoseconds = 0;
  if (absl::SimpleAtoi(PayloadOf(status, kRetryAfterUrl), &nanoseconds)) {
    detail.retry_after = absl::Nanoseconds(nanoseconds);
  }
  return detail;
}

absl::Status WithDetail(absl::Status status, const ErrorDetail& detail) {
  SetPayload(status, kReasonUrl,
             detail.reason ? ReasonName(*detail.reason) : "");
  SetPayload(status, kMetadataUrl, Pack(detail.metadata));
  SetPayload(status, kViolationsUrl, Pack(detail.violations));
  SetPayload(status, kRetryAfterUrl,
             detail.retry_after
                 ? absl::StrCat(absl::ToInt64Nanoseconds(*detail.retry_after))
                 : "");
  return status;
}

bool HasReason(const absl::Status& status, Reason reason) {
  return DetailOf(status).reason == reason;
}

}  // namespace coord
