#include "server/metrics.h"

#include <prometheus/text_serializer.h>

#include "absl/time/time.h"
#include "server/version.h"

namespace coord {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using prometheus::Counter;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Registry;

constexpr std::array<const char*, 3> kVerdictNames = {"complete", "partial",
                                                      "none"};
constexpr std::array<const char*, 10> kFailureNames = {
    "unreachable", "timeout",  "connection_lost", "wrong_server",
    "http_status", "bad_body", "too_large",       "token",
    "not_member",  "cancelled"};

constexpr std::array<const char*, 8> kEvictionNames = {
    "unreachable", "same_address", "manual", "session",
    "probe",       "lease",        "peer",   "authority"};

Counter& NewCounter(Registry& registry, const char* name, const char* help) {
  return BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

Gauge& NewGauge(Registry& registry, const char* name, const char* help) {
  return BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

template <std::size_t N>
std::array<Counter*, N> NewCounters(Registry& registry, const char* name,
                                    const char* help, const char* label,
                                    const std::array<const char*, N>& values) {
  auto& family = BuildCounter().Name(name).Help(help).Register(registry);
  std::array<Counter*, N> counters;
  for (std::size_t i = 0; i < N; ++i) {
    counters[i] = &family.Add({{label, values[i]}});
  }
  return counters;
}

// Of what is counted elsewhere, since the start.
void RaiseTo(Counter& counter, std::int64_t total) {
  counter.Increment(static_cast<double>(total) - counter.Value());
}

}  // namespace

Metrics::Metrics()
    : calls_started_(NewCounter(registry_,
                                "clusterd_fanout_calls_started_total",
                                "Fan-outs that began.")),
      calls_ended_(NewCounters(registry_, "clusterd_fanout_calls_total",
                               "Fan-outs that began and ended, by verdict.",
                               "verdict", kVerdictNames)),
      calls_refused_(NewCounter(registry_,
                                "clusterd_fanout_calls_refused_total",
                                "Fan-outs that did not begin: refused, or "
                                "given up while they waited. Nothing was "
                                "sent.")),
      calls_over_limit_(
          NewCounter(registry_, "clusterd_fanout_calls_over_limit_total",
                     "Fan-outs that were refused because a limit was met.")),
      wait_seconds_(
          BuildHistogram()
              .Name("clusterd_fanout_wait_seconds")
              .Help("Time that fan-outs waited for room, whatever became of "
                    "them then.")
              .Register(registry_)
              .Add({}, Histogram::BucketBoundaries{0.001, 0.0025, 0.005, 0.01,
                                                   0.025, 0.05, 0.1, 0.25, 0.5,
                                                   1})),
      call_seconds_(
          BuildHistogram()
              .Name("clusterd_fanout_call_seconds")
              .Help("Time from when a fan-out came to its end, that of its "
                    "wait for room included.")
              .Register(registry_)
              .Add({}, Histogram::BucketBoundaries{0.001, 0.0025, 0.005, 0.01,
                                                   0.025, 0.05, 0.1, 0.25, 0.5,
                                                   1, 2.5, 5, 10, 50})),
      node_results_(NewCounter(registry_, "clusterd_fanout_node_results_total",
                               "Servers that answered a fan-out well.")),
      node_skips_(NewCounter(registry_, "clusterd_fanout_node_skips_total",
                             "Servers that a fan-out skipped: draining, or "
                             "not needed once the policy was met.")),
      node_failures_(NewCounters(registry_,
                                 "clusterd_fanout_node_failures_total",
                                 "Servers that failed in a fan-out, by reason.",
                                 "reason", kFailureNames)),
      node_retries_(NewCounter(registry_, "clusterd_fanout_node_retries_total",
                               "Attempts that were to follow one that "
                               "failed; those that the end of their call "
                               "overtook included.")),
      node_hedges_(NewCounter(registry_, "clusterd_fanout_node_hedges_total",
                              "Second requests to servers that were slow.")),
      node_hedges_won_(
          NewCounter(registry_, "clusterd_fanout_node_hedges_won_total",
                     "Second requests that gave the result before the first.")),
      unread_refusals_(NewCounter(
          registry_, "clusterd_unread_refusals_total",
          "gRPC calls that were refused because answers wait to be read.")),
      unread_given_up_(NewCounter(
          registry_, "clusterd_unread_given_up_total",
          "gRPC calls that were ended because their caller did not read.")),
      suspicions_(NewCounter(registry_, "clusterd_suspicions_total",
                             "Servers that were suspected: calls could not "
                             "reach them, or a newer server has their "
                             "address.")),
      evictions_(NewCounters(
          registry_, "clusterd_evictions_total",
          "Servers that were removed without having asked for it, by cause: "
          "unreachable (by calls and probes), same_address (as a newer "
          "server), manual (EvictServer), session (not kept alive), probe "
          "(registered here, failed it), lease (not renewed with this process "
          "as authority), peer (another server said so), authority (no longer "
          "listed by it).",
          "cause", kEvictionNames)),
      suspicions_cleared_(
          NewCounter(registry_, "clusterd_suspicions_cleared_total",
                     "Suspects that answered, were replaced, or were removed "
                     "otherwise.")),
      suspicions_kept_(NewCounter(
          registry_, "clusterd_suspicions_kept_total",
          "Suspects that were to be removed and, at first at least, stayed: "
          "the authority was wanting, or their last eviction was too recent.")),
      evictions_held_back_(
          NewCounter(registry_, "clusterd_evictions_held_back_total",
                     "Suspects that self-preservation did not let go at "
                     "once.")),
      self_preservations_(
          NewCounter(registry_, "clusterd_self_preservations_total",
                     "Times that this process began to suspect itself.")),
      self_preservation_(
          NewGauge(registry_, "clusterd_self_preservation",
                   "1 while so many servers fail their probes that this "
                   "process suspects itself and evicts slowly.")),
      control_loop_delay_(
          BuildHistogram()
              .Name("clusterd_control_loop_delay_seconds")
              .Help("How late the loop of registrations, sessions and probes "
                    "came to something that was due; looked at every 20 ms.")
              .Register(registry_)
              .Add({}, Histogram::BucketBoundaries{0.0001, 0.0005, 0.001,
                                                   0.0025, 0.005, 0.01, 0.02,
                                                   0.05, 0.1, 0.25, 1, 5})),
      calls_in_flight_(NewGauge(registry_, "clusterd_fanout_calls_in_flight",
                                "Fan-outs that have begun and not ended.")),
      calls_waiting_(NewGauge(registry_, "clusterd_fanout_calls_waiting",
                              "Fan-outs that wait for room to begin.")),
      node_calls_allowed_(
          NewGauge(registry_, "clusterd_fanout_node_calls_allowed",
                   "Node calls that may be in flight: the limit, or less while "
                   "the process is too busy to answer more in time.")),
      unread_bytes_(NewGauge(registry_, "clusterd_unread_answer_bytes",
                             "Answers that gRPC callers have not read.")),
      http_unread_bytes_(NewGauge(registry_,
                                  "clusterd_http_unread_answer_bytes",
                                  "Answers that HTTP clients have not read.")),
      registrations_(NewGauge(registry_, "clusterd_registrations",
                              "Registrations that this process holds, "
                              "whatever their state.")),
      clusters_(NewGauge(registry_, "clusterd_clusters",
                         "Clusters that this process knows, those without "
                         "servers included.")),
      servers_(NewGauge(registry_, "clusterd_servers",
                        "Servers in the clusters that this process knows.")),
      store_commits_(NewCounter(registry_, "clusterd_store_commits_total",
                                "Transactions of the store that changed "
                                "something.")),
      store_writes_(NewCounter(registry_, "clusterd_store_writes_total",
                               "Operations on the store, those that changed "
                               "nothing included; many to a transaction.")),
      store_queue_(NewGauge(registry_, "clusterd_store_queue",
                            "Writes that wait for their transaction.")) {
  BuildGauge()
      .Name("clusterd_build_info")
      .Help("Always 1; the version is in the label.")
      .Register(registry_)
      .Add({{"version", std::string(kVersion)}})
      .Set(1);
}

void Metrics::OnCallStarted() { calls_started_.Increment(); }

void Metrics::OnCallEnded(const FanOutSummary& summary) {
  calls_ended_[static_cast<std::size_t>(summary.verdict)]->Increment();
  call_seconds_.Observe(absl::ToDoubleSeconds(summary.elapsed));
}

void Metrics::OnCallRefused(const absl::Status& status) {
  calls_refused_.Increment();
  if (absl::IsResourceExhausted(status)) calls_over_limit_.Increment();
}

void Metrics::OnCallWaited(absl::Duration waited) {
  wait_seconds_.Observe(absl::ToDoubleSeconds(waited));
}

void Metrics::OnNodeOutcome(const NodeOutcome& outcome) {
  switch (outcome.kind) {
    case NodeOutcome::Kind::kResult:
      node_results_.Increment();
      break;
    case NodeOutcome::Kind::kSkipped:
      node_skips_.Increment();
      break;
    case NodeOutcome::Kind::kFailure:
      node_failures_[static_cast<std::size_t>(outcome.failure)]->Increment();
      break;
  }
}

void Metrics::OnRetry() { node_retries_.Increment(); }
void Metrics::OnHedge() { node_hedges_.Increment(); }
void Metrics::OnHedgeWon() { node_hedges_won_.Increment(); }
void Metrics::OnRefusedForUnread() { unread_refusals_.Increment(); }
void Metrics::OnUnreadGivenUp() { unread_given_up_.Increment(); }
void Metrics::OnSuspected() { suspicions_.Increment(); }
void Metrics::OnCleared() { suspicions_cleared_.Increment(); }
void Metrics::OnKept() { suspicions_kept_.Increment(); }
void Metrics::OnHeldBack() { evictions_held_back_.Increment(); }

void Metrics::OnEvicted(EvictionCause cause) { EvictionsBy(cause).Increment(); }

void Metrics::OnSelfPreservation(bool active) {
  if (active) self_preservations_.Increment();
  self_preservation_.Set(active ? 1 : 0);
}

void Metrics::OnControlLoopDelay(absl::Duration late) {
  control_loop_delay_.Observe(absl::ToDoubleSeconds(late));
}

std::string Metrics::Text(const MetricsSample& sample) {
  absl::MutexLock lock(&look_);
  calls_in_flight_.Set(sample.calls_in_flight);
  calls_waiting_.Set(sample.calls_waiting);
  node_calls_allowed_.Set(sample.node_calls_allowed);
  unread_bytes_.Set(static_cast<double>(sample.unread_bytes));
  http_unread_bytes_.Set(static_cast<double>(sample.http_unread_bytes));
  registrations_.Set(static_cast<double>(sample.registrations));
  clusters_.Set(static_cast<double>(sample.clusters));
  servers_.Set(static_cast<double>(sample.servers));
  store_queue_.Set(static_cast<double>(sample.store_queue));
  RaiseTo(store_commits_, sample.store_commits);
  RaiseTo(store_writes_, sample.store_writes);
  RaiseTo(EvictionsBy(EvictionCause::kLease), sample.expired);
  return prometheus::TextSerializer().Serialize(registry_.Collect());
}

}  // namespace coord
