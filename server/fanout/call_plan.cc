#include "server/fanout/call_plan.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/correlation_id.h"
#include "common/error.h"
#include "common/text_view.h"
#include "server/core/completion.h"
#include "server/fanout/call_check.h"
#include "server/fanout/outcome_text.h"

namespace coord {
namespace {

void ExpectMember(const Server& server, CallPlan& plan) {
  NodeCall& node = plan.nodes.emplace_back();
  NodeOutcome& outcome = plan.outcomes.emplace_back();
  node.server = &server;
  outcome.server_id = server.server_id;
  outcome.cluster_base_url = server.cluster_base_url;
  CleanText(outcome.server_id);
  CleanText(outcome.cluster_base_url);
  if (server.state == ServerState::kDraining) {
    outcome.kind = NodeOutcome::Kind::kSkipped;
    outcome.skip = SkipReason::kDraining;
    return;
  }
  ++plan.callable;
  absl::StatusOr<BaseUrl> base = ParseBaseUrl(server.cluster_base_url);
  if (!base.ok()) {
    SetFailure(outcome, FailureReason::kUnreachable,
               absl::StrCat("its cluster_base_url ", base.status().message()));
    return;
  }
  node.base = *std::move(base);
  node.sendable = true;
  ++plan.sendable;
}

void ExpectStranger(const std::string& server_id, CallPlan& plan) {
  plan.nodes.emplace_back();
  NodeOutcome& outcome = plan.outcomes.emplace_back();
  outcome.server_id = server_id;
  SetFailure(outcome, FailureReason::kNotMember, "not a member of the cluster");
  ++plan.callable;
}

// Whom the call chooses; nullptr: all.
const std::vector<std::string>* ChosenBy(const FanOutCall& call) {
  if (call.selection) return &call.selection->server_ids;
  return call.server_ids.empty() ? nullptr : &call.server_ids;
}

std::size_t NodesAtMost(const FanOutCall& call,
                        const ClusterSnapshot& snapshot) {
  const std::vector<std::string>* chosen = ChosenBy(call);
  return chosen == nullptr ? snapshot.servers.size() : chosen->size();
}

void SelectNodes(const FanOutCall& call, CallPlan& plan) {
  const ClusterSnapshot& snapshot = *plan.snapshot;
  const std::size_t most = NodesAtMost(call, snapshot);
  plan.nodes.reserve(most);
  plan.outcomes.reserve(most);
  const std::vector<std::string>* chosen = ChosenBy(call);
  if (chosen == nullptr) {
    for (const ServerPtr& server : snapshot.servers) {
      if (server->server_id != call.origin_server_id) {
        ExpectMember(*server, plan);
      }
    }
    return;
  }
  std::vector<std::string> selected = *chosen;
  std::sort(selected.begin(), selected.end());
  selected.erase(std::unique(selected.begin(), selected.end()), selected.end());
  for (const std::string& id : selected) {
    if (id == call.origin_server_id) continue;
    if (const ServerPtr server = snapshot.Find(id)) {
      ExpectMember(*server, plan);
    } else {
      ExpectStranger(id, plan);
    }
  }
}

// A selected server that is no member counts for ALL and MAJORITY as one that
// fails, but it can't help to reach a number.
absl::Status CheckPolicy(const CallPlan& plan, const CompletionPolicy& policy) {
  using Kind = CompletionPolicy::Kind;
  const bool by_number =
      policy.kind == Kind::kAtLeast || policy.kind == Kind::kFirst;
  return CompletionTracker(policy, by_number ? plan.sendable : plan.callable)
      .CheckPossible();
}

absl::Status CheckExpected(const FanOutCall& call, const CallPlan& plan) {
  const int expected = static_cast<int>(plan.nodes.size());
  if (expected >= call.min_expected) return absl::OkStatus();
  return MakeError(
      Reason::kTooFewServers,
      absl::StrCat("call cluster ", plan.snapshot->identity.id, ": ", expected,
                   expected == 1 ? " server is" : " servers are",
                   " expected, but the call wants at least ",
                   call.min_expected),
      {{"expected", absl::StrCat(expected)},
       {"min_expected", absl::StrCat(call.min_expected)}});
}

int MostAtOnce(int nodes, const FanOutCall& call,
               const FanOutOptions& options) {
  return std::min({nodes, options.max_node_calls_per_call,
                   options.max_node_calls,
                   call.max_concurrency > 0 ? call.max_concurrency : nodes});
}

bool Has(const HttpHeaders& headers, std::string_view name) {
  return std::any_of(headers.begin(), headers.end(), [&](const auto& header) {
    return absl::EqualsIgnoreCase(header.name, AbslView(name));
  });
}

absl::Status OriginUnknown(const std::string& cluster, const FanOutCall& call) {
  return MakeError(
      Reason::kNotRegistered,
      absl::StrCat("call cluster ", cluster, ": origin ", call.origin_server_id,
                   " is not a member: it is not registered, or has never "
                   "answered yet"),
      {{"server_id", call.origin_server_id}});
}

}  // namespace

absl::StatusOr<SnapshotPtr> SnapshotFor(const FanOutCall& call,
                                        const Membership& membership) {
  absl::StatusOr<SnapshotPtr> snapshot =
      membership.Snapshot(call.type, call.cluster_id);
  // Its cluster comes with the first answer of its first server.
  if (HasReason(snapshot.status(), Reason::kClusterNotFound) &&
      !call.origin_server_id.empty()) {
    return OriginUnknown(
        call.cluster_id.empty() ? "of type " + call.type : call.cluster_id,
        call);
  }
  return snapshot;
}

std::vector<Warning> WarningsOf(const CallPlan& plan) {
  std::vector<Warning> warnings;
  if (plan.callable == 0) warnings.push_back(Warning::kEmpty);
  if (plan.knowledge.stale) warnings.push_back(Warning::kStale);
  if (plan.knowledge.self_preservation) {
    warnings.push_back(Warning::kSelfPreservation);
  }
  return warnings;
}

int NodeCallsAtMost(const FanOutCall& call, const FanOutOptions& options,
                    const ClusterSnapshot& snapshot) {
  const int nodes = static_cast<int>(NodesAtMost(call, snapshot));
  return std::max(1, MostAtOnce(nodes, call, options));
}

absl::StatusOr<CallPlan> PlanCall(const FanOutCall& call,
                                  const FanOutOptions& options,
                                  SnapshotPtr snapshot) {
  CallPlan plan;
  plan.snapshot = std::move(snapshot);
  plan.cluster_id = plan.snapshot->identity.id;
  CleanText(plan.cluster_id);
  if (!call.origin_server_id.empty() &&
      !plan.snapshot->Find(call.origin_server_id)) {
    return OriginUnknown(plan.snapshot->identity.id, call);
  }
  SelectNodes(call, plan);
  if (absl::Status s = CheckExpected(call, plan); !s.ok()) return s;
  if (absl::Status s = CheckPolicy(plan, call.policy); !s.ok()) return s;

  plan.concurrency = MostAtOnce(plan.sendable, call, options);
  plan.answer_bytes = call.max_answer_bytes > 0 ? call.max_answer_bytes
                                                : options.default_answer_bytes;
  plan.attempt_timeout = call.attempt_timeout > absl::ZeroDuration()
                             ? call.attempt_timeout
                             : options.request_timeout;
  plan.idempotent = IsIdempotent(call);
  plan.path_and_query =
      call.query.empty() ? call.path : absl::StrCat(call.path, "?", call.query);
  return plan;
}

HttpHeaders RequestHeaders(const FanOutCall& call, std::string_view user_agent,
                           std::string_view fresh, absl::Time now) {
  HttpHeaders headers = call.headers;
  const auto add = [&headers](std::string_view name, std::string value) {
    if (Has(headers, name)) return;
    headers.push_back({std::string(name), std::move(value)});
  };
  add("accept", "application/json");
  add("accept-encoding", "identity");
  if (!call.body.empty()) add("content-type", "application/json");
  add("user-agent", std::string(user_agent));
  add("x-correlation-id", NextCorrelationId(call.correlation_id, fresh, now));
  if (!call.trace.parent.empty() && !Has(headers, "traceparent")) {
    add("traceparent", call.trace.parent);
    if (!call.trace.state.empty()) add("tracestate", call.trace.state);
  }
  return headers;
}

}  // namespace coord
