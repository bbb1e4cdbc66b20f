#include "common/grpc_status.h"

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/text_view.h"
#include "common/utf8.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace coord {
namespace {

// A status travels in trailers, of which some peers take no more than 8 KiB:
// the message (three bytes for each that is not ASCII) and, in base64, the
// details with the message once more.
constexpr std::size_t kMaxMessage = 1024;
constexpr std::size_t kMaxDetails = 2048;
constexpr std::size_t kMaxText = 512;

std::string Shortened(std::string_view text, std::size_t max_bytes) {
  std::string valid = EscapeInvalidUtf8(text);
  if (valid.size() <= max_bytes) return valid;
  return absl::StrCat(AbslView(Utf8Prefix(valid, max_bytes - 3)), "...");
}

// Codes by which a caller decides what to do; whatever else goes wrong is
// INTERNAL to it.
bool IsActionable(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kUnauthenticated:
      return true;
    default:
      return false;
  }
}

absl::Duration DurationOf(const google::protobuf::Duration& proto) {
  return absl::Seconds(proto.seconds()) + absl::Nanoseconds(proto.nanos());
}

void SetDuration(absl::Duration duration, google::protobuf::Duration& proto) {
  absl::Duration rest;
  proto.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &rest));
  proto.set_nanos(static_cast<int>(absl::ToInt64Nanoseconds(rest)));
}

// Packs details while they fit; what would not is left out.
class StatusBuilder {
 public:
  StatusBuilder(absl::StatusCode code, const std::string& message) {
    status_.set_code(static_cast<int>(code));
    status_.set_message(message);
  }

  void AddErrorInfo(std::string_view reason, const ErrorMetadata& metadata) {
    google::rpc::ErrorInfo info;
    info.set_reason(std::string(reason));
    info.set_domain(std::string(kErrorDomain));
    for (const auto& [key, value] : metadata) {
      std::string short_key = Shortened(key, kMaxText);
      std::string short_value = Shortened(value, kMaxText);
      if (!Fits(short_key, short_value)) break;
      (*info.mutable_metadata())[short_key] = std::move(short_value);
    }
    status_.add_details()->PackFrom(info);
  }

  void AddBadRequest(const std::vector<FieldViolation>& violations) {
    google::rpc::BadRequest request;
    for (const FieldViolation& violation : violations) {
      std::string field = Shortened(violation.field, kMaxText);
      std::string description = Shortened(violation.description, kMaxText);
      if (!Fits(field, description)) break;
      auto* added = request.add_field_violations();
      added->set_field(std::move(field));
      added->set_description(std::move(description));
    }
    status_.add_details()->PackFrom(request);
  }

  void AddRetryInfo(absl::Duration delay) {
    google::rpc::RetryInfo info;
    SetDuration(delay, *info.mutable_retry_delay());
    status_.add_details()->PackFrom(info);
  }

  std::string Serialize() const { return status_.SerializeAsString(); }

 private:
  bool Fits(std::string_view first, std::string_view second) {
    used_ += first.size() + second.size();
    return used_ <= kMaxDetails;
  }

  google::rpc::Status status_;
  std::size_t used_ = 0;
};

void ReadDetail(const google::protobuf::Any& any, ErrorDetail& detail) {
  google::rpc::ErrorInfo info;
  google::rpc::BadRequest request;
  google::rpc::RetryInfo retry;
  if (any.UnpackTo(&info)) {
    if (info.domain() != kErrorDomain) return;
    detail.reason = ReasonFromName(info.reason());
    const std::map<std::string, std::string> sorted(info.metadata().begin(),
                                                    info.metadata().end());
    detail.metadata.assign(sorted.begin(), sorted.end());
  } else if (any.UnpackTo(&request)) {
    for (const auto& violation : request.field_violations()) {
      detail.violations.push_back({violation.field(), violation.description()});
    }
  } else if (any.UnpackTo(&retry)) {
    detail.retry_after = DurationOf(retry.retry_delay());
  }
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const ErrorDetail detail = DetailOf(status);
  const absl::StatusCode code =
      IsActionable(status.code()) ? status.code() : absl::StatusCode::kInternal;
  const std::string message = Shortened(StdView(status.message()), kMaxMessage);
  const std::string code_name = absl::StatusCodeToString(code);
  StatusBuilder builder(code, message);
  builder.AddErrorInfo(
      detail.reason ? ReasonName(*detail.reason) : std::string_view(code_name),
      detail.metadata);
  if (!detail.violations.empty()) builder.AddBadRequest(detail.violations);
  if (detail.retry_after) builder.AddRetryInfo(*detail.retry_after);
  return grpc::Status(static_cast<grpc::StatusCode>(code), message,
                      builder.Serialize());
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  ErrorDetail detail;
  google::rpc::Status proto;
  if (proto.ParseFromString(status.error_details())) {
    for (const auto& any : proto.details()) ReadDetail(any, detail);
  }
  return WithDetail(
      absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                   status.error_message()),
      detail);
}

}  // namespace coord
