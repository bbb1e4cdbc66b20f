#include "server/fanout/call_check.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/text_view.h"
#include "common/url.h"
#include "common/utf8.h"
#include "server/http/single_header.h"

namespace coord {
namespace {

constexpr std::size_t kMaxNameBytes = 256;  // cluster_id, customer_name
constexpr std::size_t kMaxSelected = 16'384;
constexpr std::size_t kMaxMethodBytes = 32;
constexpr std::size_t kMaxHeaders = 128;
constexpr std::size_t kMaxHeaderBytes = 16 << 10;  // as Node.js accepts
constexpr int kMaxAttempts = 10;
constexpr std::size_t kMaxStatuses = 64;
// For one attempt, and before a hedge.
constexpr absl::Duration kMinAttemptTime = absl::Milliseconds(1);
constexpr absl::Duration kMaxAttemptTime = absl::Minutes(10);
constexpr absl::Duration kMaxBackoff = absl::Minutes(10);

// Those that a client must set itself, or that are about one connection only.
constexpr std::array<std::string_view, 8> kRefusedHeaders = {
    "host",           "connection", "transfer-encoding",
    "content-length", "te",         "upgrade",
    "expect",         "trailer"};

bool IsToken(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [&](unsigned char c) {
           return absl::ascii_isalnum(c) ||
                  kMarks.find(static_cast<char>(c)) != std::string_view::npos;
         });
}

bool IsHeaderValue(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](unsigned char c) {
    return c == '\t' || !absl::ascii_iscntrl(c);
  });
}

class Checker {
 public:
  Checker(const FanOutCall& call, const FanOutOptions& options)
      : call_(call), options_(options) {}

  absl::Status Check() {
    CheckTarget();
    CheckHttp();
    CheckHeaders();
    CheckPolicy();
    CheckRetry();
    CheckHedge();
    CheckLimits();
    return InvalidFields(violations_);
  }

 private:
  // Puts the text of `rule` together only for a call that breaks it.
  template <typename... Parts>
  void Expect(bool good, absl::string_view field, const Parts&... rule) {
    if (!good) {
      violations_.push_back({std::string(field), absl::StrCat(rule...)});
    }
  }

  void ExpectOk(const absl::Status& status, absl::string_view field) {
    Expect(status.ok(), field, status.message());
  }

  void CheckTarget() {
    Expect(!call_.type.empty() || !call_.cluster_id.empty(), "type",
           "must be given, or cluster_id");
    Expect(call_.type.empty() || IsValidServerType(call_.type), "type",
           AbslView(kServerTypeRule));
    Expect(call_.cluster_id.size() <= kMaxNameBytes, "cluster_id",
           "must be at most ", kMaxNameBytes, " bytes");
    Expect(call_.origin_server_id.empty() ||
               IsValidServerId(call_.origin_server_id),
           "origin_server_id", AbslView(kServerIdRule));
    CheckServerIds(call_.server_ids, "server_ids");
    if (call_.selection) {
      CheckServerIds(call_.selection->server_ids, "selection.server_ids");
    }
    Expect(!call_.selection || call_.server_ids.empty(), "selection",
           "must not be set together with server_ids");
    Expect(call_.min_expected >= 0, "min_expected", "must not be negative");
  }

  void CheckServerIds(const std::vector<std::string>& ids,
                      absl::string_view field) {
    Expect(ids.size() <= kMaxSelected, field, "must be at most ", kMaxSelected);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (IsValidServerId(ids[i])) continue;
      return Expect(false, absl::StrCat(field, "[", i, "]"),
                    AbslView(kServerIdRule));
    }
  }

  void CheckHttp() {
    Expect(call_.method.size() <= kMaxMethodBytes && IsToken(call_.method),
           "http.method", "must be a token of at most ", kMaxMethodBytes,
           " bytes");
    Expect(!absl::EqualsIgnoreCase(call_.method, "CONNECT") &&
               !absl::EqualsIgnoreCase(call_.method, "TRACE"),
           "http.method", "must be neither CONNECT nor TRACE");
    ExpectOk(CheckCallPath(call_.path), "http.path");
    ExpectOk(CheckQuery(call_.query), "http.query");
  }

  void CheckHeaders() {
    Expect(call_.headers.size() <= kMaxHeaders, "http.headers",
           "must be at most ", kMaxHeaders);
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < call_.headers.size(); ++i) {
      const auto& [name, value] = call_.headers[i];
      bytes += name.size() + value.size();
      const bool repeated = IsRepeated(i);
      if (IsToken(name) && !IsRefused(name) && IsHeaderValue(value) &&
          !repeated) {
        continue;
      }
      const std::string field = absl::StrCat("http.headers[", i, "]");
      Expect(IsToken(name), absl::StrCat(field, ".name"), "must be a token");
      Expect(!IsRefused(name), absl::StrCat(field, ".name"),
             "must not be a header that clusterd sets itself or that is about "
             "one connection only");
      Expect(!repeated, absl::StrCat(field, ".name"),
             "must not be there twice");
      Expect(IsHeaderValue(value), absl::StrCat(field, ".value"),
             "must not hold control characters");
      return;
    }
    Expect(bytes <= kMaxHeaderBytes, "http.headers", "must be at most ",
           kMaxHeaderBytes, " bytes in all");
  }

  // Whether a header that must be single was there before.
  bool IsRepeated(std::size_t index) const {
    const std::string& name = call_.headers[index].name;
    if (!IsSingleHeader(name)) return false;
    const auto begin = call_.headers.begin();
    return std::any_of(begin, begin + static_cast<std::ptrdiff_t>(index),
                       [&name](const HttpHeader& earlier) {
                         return absl::EqualsIgnoreCase(earlier.name, name);
                       });
  }

  bool IsRefused(const std::string& name) const {
    if (absl::StartsWithIgnoreCase(name, "proxy-")) return true;
    if (!options_.forward_authorization &&
        absl::EqualsIgnoreCase(name, "authorization")) {
      return true;
    }
    return std::any_of(kRefusedHeaders.begin(), kRefusedHeaders.end(),
                       [&](std::string_view refused) {
                         return absl::EqualsIgnoreCase(name, AbslView(refused));
                       });
  }

  void CheckPolicy() {
    using Kind = CompletionPolicy::Kind;
    const CompletionPolicy& policy = call_.policy;
    Expect(policy.kind != Kind::kAtLeast || policy.n >= 1, "policy.at_least",
           "must be at least 1");
    Expect(policy.kind != Kind::kFirst || policy.n >= 1, "policy.first",
           "must be at least 1");
  }

  void CheckRetry() {
    const RetryPolicy& retry = call_.retry;
    Expect(retry.max_attempts >= 1 && retry.max_attempts <= kMaxAttempts,
           "retry.max_attempts", "must be 1 to ", kMaxAttempts);
    ExpectWithin(retry.backoff.initial, absl::ZeroDuration(), kMaxBackoff,
                 "retry.initial_backoff");
    ExpectWithin(retry.backoff.max, absl::ZeroDuration(), kMaxBackoff,
                 "retry.max_backoff");
    Expect(retry.statuses.size() <= kMaxStatuses, "retry.statuses",
           "must be at most ", kMaxStatuses);
    for (std::size_t i = 0; i < retry.statuses.size(); ++i) {
      const int status = retry.statuses[i];
      if (status >= 300 && status <= 599) continue;
      return Expect(false, absl::StrCat("retry.statuses[", i, "]"),
                    "must be 300 to 599: a success is never repeated");
    }
  }

  void CheckHedge() {
    if (!call_.hedge) return;
    Expect(IsIdempotent(call_), "hedge",
           "must not be set for a call that is not idempotent");
    if (!call_.hedge->delay) return;
    ExpectWithin(*call_.hedge->delay, kMinAttemptTime, kMaxAttemptTime,
                 "hedge.delay");
  }

  void CheckLimits() {
    if (call_.attempt_timeout != absl::ZeroDuration()) {
      ExpectWithin(call_.attempt_timeout, kMinAttemptTime, kMaxAttemptTime,
                   "attempt_timeout");
    }
    Expect(call_.max_concurrency >= 0, "max_concurrency",
           "must not be negative");
    Expect(call_.max_answer_bytes <= options_.max_answer_bytes,
           "max_answer_bytes", "must be at most ", options_.max_answer_bytes);
    Expect(call_.customer_name.size() <= kMaxNameBytes &&
               !HasControlCharacter(call_.customer_name),
           "customer_name", "must be at most ", kMaxNameBytes,
           " bytes without control characters");
  }

  void ExpectWithin(absl::Duration duration, absl::Duration least,
                    absl::Duration most, absl::string_view field) {
    if (duration >= least && duration <= most) return;
    Expect(false, field, "must be ", absl::FormatDuration(least), " to ",
           absl::FormatDuration(most));
  }

  const FanOutCall& call_;
  const FanOutOptions& options_;
  std::vector<FieldViolation> violations_;
};

}  // namespace

bool IsIdempotent(const FanOutCall& call) {
  return call.idempotent.value_or(IsIdempotentMethod(call.method));
}

absl::Status CheckCall(const FanOutCall& call, const FanOutOptions& options) {
  return Checker(call, options).Check();
}

}  // namespace coord
