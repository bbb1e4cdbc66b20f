// Every metric of clusterd, in one place. Names end in their unit; label values
// come from fixed sets, never from requests.
#ifndef SERVER_METRICS_H_
#define SERVER_METRICS_H_

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <string>

#include "absl/synchronization/mutex.h"
#include "server/fanout/engine.h"
#include "server/node/eviction_observer.h"
#include "server/rpc/unread_answers.h"

namespace coord {

// What is asked for when somebody looks rather than told when it happens.
struct MetricsSample {
  int calls_in_flight = 0;
  int calls_waiting = 0;
  int node_calls_allowed = 0;
  std::size_t unread_bytes = 0;
  std::size_t http_unread_bytes = 0;
  std::size_t registrations = 0;
  std::size_t clusters = 0;
  std::size_t servers = 0;
  std::size_t store_queue = 0;
  // Since the start.
  std::int64_t store_commits = 0;
  std::int64_t store_writes = 0;
  std::int64_t expired = 0;  // evictions of cause kLease
};

// Thread-safe. All series exist from the start, at zero. What can only grow is
// a counter and named `_total`; nothing else is.
class Metrics final : public FanOutObserver,
                      public EvictionObserver,
                      public UnreadObserver {
 public:
  Metrics();

  void OnCallStarted() override;
  void OnCallEnded(const FanOutSummary& summary) override;
  void OnCallRefused(const absl::Status& status) override;
  void OnCallWaited(absl::Duration waited) override;
  void OnNodeOutcome(const NodeOutcome& outcome) override;
  void OnRetry() override;
  void OnHedge() override;
  void OnHedgeWon() override;

  void OnRefusedForUnread() override;
  void OnUnreadGivenUp() override;

  void OnSuspected() override;
  void OnEvicted(EvictionCause cause) override;
  void OnCleared() override;
  void OnKept() override;
  void OnHeldBack() override;
  // This process begins to suspect itself, or no longer does. Thread-safe.
  void OnSelfPreservation(bool active);

  // How late the control loop came to something that was due. Thread-safe.
  void OnControlLoopDelay(absl::Duration late);

  // All metrics in Prometheus' text format.
  std::string Text(const MetricsSample& sample);

 private:
  static constexpr std::size_t kVerdicts = 3;
  static constexpr std::size_t kFailureReasons = 10;
  static constexpr std::size_t kEvictionCauses = 8;

  prometheus::Counter& EvictionsBy(EvictionCause cause) {
    return *evictions_[static_cast<std::size_t>(cause)];
  }

  prometheus::Registry registry_;
  prometheus::Counter& calls_started_;
  std::array<prometheus::Counter*, kVerdicts> calls_ended_;
  prometheus::Counter& calls_refused_;
  prometheus::Counter& calls_over_limit_;
  prometheus::Histogram& wait_seconds_;
  prometheus::Histogram& call_seconds_;
  prometheus::Counter& node_results_;
  prometheus::Counter& node_skips_;
  std::array<prometheus::Counter*, kFailureReasons> node_failures_;
  prometheus::Counter& node_retries_;
  prometheus::Counter& node_hedges_;
  prometheus::Counter& node_hedges_won_;
  prometheus::Counter& unread_refusals_;
  prometheus::Counter& unread_given_up_;
  prometheus::Counter& suspicions_;
  std::array<prometheus::Counter*, kEvictionCauses> evictions_;
  prometheus::Counter& suspicions_cleared_;
  prometheus::Counter& suspicions_kept_;
  prometheus::Counter& evictions_held_back_;
  prometheus::Counter& self_preservations_;
  prometheus::Gauge& self_preservation_;
  prometheus::Histogram& control_loop_delay_;
  prometheus::Gauge& calls_in_flight_;
  prometheus::Gauge& calls_waiting_;
  prometheus::Gauge& node_calls_allowed_;
  prometheus::Gauge& unread_bytes_;
  prometheus::Gauge& http_unread_bytes_;
  prometheus::Gauge& registrations_;
  prometheus::Gauge& clusters_;
  prometheus::Gauge& servers_;
  prometheus::Counter& store_commits_;
  prometheus::Counter& store_writes_;
  prometheus::Gauge& store_queue_;
  absl::Mutex look_;  // two that look at once would count twice
};

}  // namespace coord

#endif  // SERVER_METRICS_H_
