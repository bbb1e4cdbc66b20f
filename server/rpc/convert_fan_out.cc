#include "server/rpc/convert_fan_out.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/utf8.h"

namespace coord {
namespace {

CompletionPolicy PolicyFromProto(const pb::CompletionPolicy& proto) {
  using Kind = CompletionPolicy::Kind;
  switch (proto.kind_case()) {
    case pb::CompletionPolicy::kAll:
      return {Kind::kAll};
    case pb::CompletionPolicy::kMajority:
      return {Kind::kMajority};
    case pb::CompletionPolicy::kAtLeast:
      return {Kind::kAtLeast, proto.at_least()};
    case pb::CompletionPolicy::kFirst:
      return {Kind::kFirst, proto.first()};
    case pb::CompletionPolicy::kBestEffort:
    case pb::CompletionPolicy::KIND_NOT_SET:
      return {Kind::kBestEffort};
  }
  return {Kind::kBestEffort};
}

RetryPolicy RetryFromProto(const pb::RetryPolicy& proto,
                           Violations* violations) {
  RetryPolicy retry;
  if (proto.max_attempts() != 0) retry.max_attempts = proto.max_attempts();
  if (proto.has_initial_backoff()) {
    retry.backoff.initial = DurationField("retry.initial_backoff",
                                          proto.initial_backoff(), violations)
                                .value_or(retry.backoff.initial);
  }
  if (proto.has_max_backoff()) {
    retry.backoff.max =
        DurationField("retry.max_backoff", proto.max_backoff(), violations)
            .value_or(retry.backoff.max);
  }
  retry.statuses.assign(proto.statuses().begin(), proto.statuses().end());
  return retry;
}

HedgePolicy HedgeFromProto(const pb::HedgePolicy& proto,
                           Violations* violations) {
  HedgePolicy hedge;
  if (proto.has_delay()) {
    hedge.delay = DurationField("hedge.delay", proto.delay(), violations);
  }
  return hedge;
}

BodyView BodyViewFromProto(pb::BodyView view, Violations* violations) {
  switch (view) {
    case pb::BODY_VIEW_UNSPECIFIED:
    case pb::BODY_VIEW_NOT_SPLICED:
      return BodyView::kNotSpliced;
    case pb::BODY_VIEW_ALL:
      return BodyView::kAll;
    case pb::BODY_VIEW_NONE:
      return BodyView::kNone;
    default:
      violations->push_back(
          {"body_view", absl::StrCat("is not a BodyView: ", view)});
      return BodyView::kNotSpliced;
  }
}

IdentityCheck IdentityCheckFromProto(pb::IdentityCheck check,
                                     Violations* violations) {
  switch (check) {
    case pb::IDENTITY_CHECK_UNSPECIFIED:
      return IdentityCheck::kByNodeApi;
    case pb::IDENTITY_CHECK_REQUIRED:
      return IdentityCheck::kRequired;
    case pb::IDENTITY_CHECK_IF_PRESENT:
      return IdentityCheck::kIfPresent;
    case pb::IDENTITY_CHECK_OFF:
      return IdentityCheck::kOff;
    default:
      violations->push_back(
          {"identity_check", absl::StrCat("is not an IdentityCheck: ", check)});
      return IdentityCheck::kByNodeApi;
  }
}

// The older way to choose, in which no ids are all.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
std::vector<std::string> ServerIdsFromProto(const pb::FanOutRequest& request) {
  return {request.server_ids().begin(), request.server_ids().end()};
}
#pragma GCC diagnostic pop

void HttpFromProto(const pb::HttpCall& http, FanOutCall* call) {
  if (!http.method().empty()) call->method = http.method();
  call->path = http.path();
  call->query = http.query();
  call->body = http.body();
  call->headers.reserve(http.headers_size());
  for (const pb::Header& header : http.headers()) {
    call->headers.push_back({header.name(), header.value()});
  }
}

}  // namespace

void ToProto(HttpHeaders headers,
             google::protobuf::RepeatedPtrField<pb::Header>* out) {
  out->Reserve(static_cast<int>(headers.size()));
  for (HttpHeader& header : headers) {
    pb::Header* converted = out->Add();
    converted->set_name(Utf8(std::move(header.name)));
    converted->set_value(EscapeHeaderValue(std::move(header.value)));
  }
}

absl::StatusOr<FanOutCall> FromProto(const pb::FanOutRequest& request) {
  Violations violations;
  FanOutCall call;
  call.type = request.type();
  call.cluster_id = request.cluster_id();
  call.origin_server_id = request.origin_server_id();
  call.server_ids = ServerIdsFromProto(request);
  if (request.has_selection()) {
    const auto& ids = request.selection().server_ids();
    call.selection.emplace().server_ids.assign(ids.begin(), ids.end());
  }
  call.min_expected = request.min_expected();
  if (request.has_http()) {
    HttpFromProto(request.http(), &call);
  } else {
    violations.push_back({"http", "must be set"});
  }
  call.policy = PolicyFromProto(request.policy());
  call.retry = RetryFromProto(request.retry(), &violations);
  if (request.has_hedge()) {
    call.hedge = HedgeFromProto(request.hedge(), &violations);
  }
  call.body_view = BodyViewFromProto(request.body_view(), &violations);
  call.identity_check =
      IdentityCheckFromProto(request.identity_check(), &violations);
  if (request.has_idempotent()) call.idempotent = request.idempotent();
  if (request.has_attempt_timeout()) {
    call.attempt_timeout =
        DurationField("attempt_timeout", request.attempt_timeout(), &violations)
            .value_or(absl::ZeroDuration());
    // To the engine zero means unset.
    if (call.attempt_timeout == absl::ZeroDuration() && violations.empty()) {
      violations.push_back({"attempt_timeout", "must not be zero"});
    }
  }
  call.max_concurrency = request.max_concurrency();
  if (request.max_answer_bytes() < 0) {
    violations.push_back({"max_answer_bytes", "must not be negative"});
  }
  call.max_answer_bytes = static_cast<std::size_t>(request.max_answer_bytes());
  call.customer_name = request.customer_name();
  absl::Status valid = InvalidFields(violations);
  if (!valid.ok()) return valid;
  return call;
}

}  // namespace coord
