// One fan-out as its caller asks for it, and what comes back.
#ifndef SERVER_FANOUT_CALL_H_
#define SERVER_FANOUT_CALL_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/backoff.h"
#include "common/trace_context.h"
#include "server/core/completion.h"
#include "server/core/server.h"
#include "server/http/message.h"

namespace coord {

struct RetryPolicy {
  int max_attempts = 3;
  BackoffPolicy backoff;
  std::vector<int> statuses;  // empty: 429 and 5xx
};

// A second request to a server that has not answered after `delay`, on another
// connection; what the first result leaves in flight is cancelled.
struct HedgePolicy {
  // nullopt: the p95 of that server, none before it is known.
  std::optional<absl::Duration> delay;
};

enum class BodyView { kNotSpliced, kAll, kNone };

// Whether an answer must name the server that gave it.
enum class IdentityCheck {
  // Required from servers that are known to serve the node API, else checked if
  // it is there.
  kByNodeApi,
  kRequired,
  kIfPresent,
  kOff,
};

// Whom a call is for: exactly these, so an empty one is for nobody.
struct Selection {
  std::vector<std::string> server_ids;
};

struct FanOutCall {
  // Whom to call: one of both at least; see Membership::Snapshot.
  std::string type;
  std::string cluster_id;
  std::string origin_server_id;        // left out; empty: nobody is
  std::optional<Selection> selection;  // nullopt: all
  // The older way to choose, never together with a selection: only these;
  // empty: all.
  std::vector<std::string> server_ids;
  int min_expected = 0;  // with fewer expected nothing is sent

  std::string method = "GET";
  std::string path;   // starts with `/`, appended to each base URL
  std::string query;  // without the `?`
  HttpHeaders headers;
  std::string body;

  CompletionPolicy policy;
  RetryPolicy retry;
  IdentityCheck identity_check = IdentityCheck::kByNodeApi;
  BodyView body_view = BodyView::kNotSpliced;
  std::optional<bool> idempotent;    // nullopt: by the method
  std::optional<HedgePolicy> hedge;  // only with an idempotent call
  // For one attempt; zero: the engine's.
  absl::Duration attempt_timeout;
  // Until the caller stops listening. Infinite: the engine's default (50 s).
  absl::Duration time_left = absl::InfiniteDuration();
  int max_concurrency = 0;  // 0: as the engine allows
  // Of the aggregate, as it is encoded; 0: the engine's.
  std::size_t max_answer_bytes = 0;
  std::string customer_name;
  std::string correlation_id;
  TraceContext trace;  // sent to every server, unless a header has its own
};

enum class FailureReason {
  kUnreachable,
  kTimeout,
  kConnectionLost,
  kWrongServer,
  kHttpStatus,
  kBadBody,
  kTooLarge,
  kToken,
  kNotMember,
  kCancelled,
};

enum class Certainty { kNotSent, kMaybeExecuted, kAnswered };

enum class SkipReason { kDraining, kPolicyMet };

struct NodeOutcome {
  enum class Kind { kResult, kFailure, kSkipped };
  Kind kind = Kind::kSkipped;
  std::string server_id;
  std::string cluster_base_url;  // empty where addresses found no room
  int http_status = 0;
  HttpHeaders headers;
  std::string body;  // as BodyView wants it; failures: as received
  int attempts = 0;  // hedges count
  absl::Duration elapsed;
  Certainty certainty = Certainty::kNotSent;
  FailureReason failure = FailureReason::kUnreachable;  // of kFailure
  SkipReason skip = SkipReason::kDraining;              // of kSkipped
  std::string message;                                  // of kFailure
};

// What a caller should know of the membership that a call was made with.
enum class Warning {
  kEmpty,             // nobody could be called
  kStale,             // it is older than it may be
  kSelfPreservation,  // this process suspects itself
};

struct FanOutSummary {
  Verdict verdict = Verdict::kComplete;
  bool policy_met = true;
  std::string cluster_id;
  std::int64_t revision = 0;
  int expected = 0;
  int results = 0;
  int failures = 0;
  int skipped = 0;
  absl::Duration elapsed;
  std::vector<Warning> warnings;  // each once, in their order
  absl::Duration membership_age;  // when the call began; infinite: unknown
};

struct FanOutAnswer {
  FanOutSummary summary;
  std::string data_json;              // `[…]`
  std::vector<NodeOutcome> outcomes;  // by server_id; each expected one once
};

}  // namespace coord

#endif  // SERVER_FANOUT_CALL_H_
