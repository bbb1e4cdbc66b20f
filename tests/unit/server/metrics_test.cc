#include "server/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace coord {
namespace {

using ::testing::HasSubstr;

TEST(Metrics, EverySeriesExistsAtZeroFromTheStart) {
  const std::string text = Metrics().Text({});
  for (const char* line :
       {"clusterd_fanout_calls_total{verdict=\"partial\"} 0",
        "clusterd_fanout_node_failures_total{reason=\"not_member\"} 0",
        "clusterd_fanout_node_failures_total{reason=\"cancelled\"} 0",
        "clusterd_evictions_total{cause=\"unreachable\"} 0",
        "clusterd_evictions_total{cause=\"same_address\"} 0",
        "clusterd_evictions_total{cause=\"manual\"} 0",
        "clusterd_evictions_total{cause=\"session\"} 0",
        "clusterd_evictions_total{cause=\"probe\"} 0",
        "clusterd_evictions_total{cause=\"lease\"} 0",
        "clusterd_evictions_total{cause=\"peer\"} 0",
        "clusterd_evictions_total{cause=\"authority\"} 0",
        "clusterd_registrations 0", "clusterd_fanout_call_seconds_count 0",
        "clusterd_control_loop_delay_seconds_count 0",
        "clusterd_control_loop_delay_seconds_bucket{le=\"0.02\"} 0"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(Metrics, EachEvictionIsCountedByItsCause) {
  Metrics metrics;
  metrics.OnEvicted(EvictionCause::kManual);
  metrics.OnEvicted(EvictionCause::kAuthority);
  metrics.OnEvicted(EvictionCause::kAuthority);
  const std::string text = metrics.Text({});
  EXPECT_THAT(text, HasSubstr("evictions_total{cause=\"manual\"} 1"));
  EXPECT_THAT(text, HasSubstr("evictions_total{cause=\"authority\"} 2"));
  EXPECT_THAT(text, HasSubstr("evictions_total{cause=\"session\"} 0"));
}

TEST(Metrics, WhatIsCountedElsewhereGrowsByWhatIsNew) {
  Metrics metrics;
  metrics.Text({.store_commits = 2, .store_writes = 5, .expired = 1});
  const std::string text =
      metrics.Text({.store_commits = 3, .store_writes = 9, .expired = 1});
  EXPECT_THAT(text, HasSubstr("# TYPE clusterd_store_commits_total counter"));
  EXPECT_THAT(text, HasSubstr("\nclusterd_store_commits_total 3\n"));
  EXPECT_THAT(text, HasSubstr("\nclusterd_store_writes_total 9\n"));
  EXPECT_THAT(text, HasSubstr("evictions_total{cause=\"lease\"} 1"));
}

TEST(Metrics, OutcomesAreCountedByKindAndReason) {
  Metrics metrics;
  NodeOutcome failure;
  failure.kind = NodeOutcome::Kind::kFailure;
  failure.failure = FailureReason::kTimeout;
  metrics.OnNodeOutcome(failure);
  metrics.OnNodeOutcome({.kind = NodeOutcome::Kind::kResult});
  metrics.OnCallEnded({.verdict = Verdict::kPartial});
  const std::string text = metrics.Text({.servers = 7});
  EXPECT_THAT(text, HasSubstr("node_failures_total{reason=\"timeout\"} 1"));
  EXPECT_THAT(text, HasSubstr("clusterd_fanout_node_results_total 1"));
  EXPECT_THAT(text, HasSubstr("calls_total{verdict=\"partial\"} 1"));
  EXPECT_THAT(text, HasSubstr("clusterd_servers 7"));
}

TEST(Metrics, RefusalsForALimitAreCountedApart) {
  Metrics metrics;
  metrics.OnCallRefused(absl::InvalidArgumentError("bad"));
  metrics.OnCallRefused(absl::ResourceExhaustedError("busy"));
  metrics.OnCallWaited(absl::Milliseconds(30));
  const std::string text = metrics.Text({.calls_waiting = 3});
  EXPECT_THAT(text, HasSubstr("clusterd_fanout_calls_refused_total 2"));
  EXPECT_THAT(text, HasSubstr("clusterd_fanout_calls_over_limit_total 1"));
  EXPECT_THAT(text, HasSubstr("clusterd_fanout_calls_waiting 3"));
  EXPECT_THAT(text, HasSubstr("fanout_wait_seconds_bucket{le=\"0.025\"} 0"));
  EXPECT_THAT(text, HasSubstr("fanout_wait_seconds_bucket{le=\"0.05\"} 1"));
}

TEST(Metrics, HedgesAndTheirWinsAreCounted) {
  Metrics metrics;
  metrics.OnHedge();
  metrics.OnHedge();
  metrics.OnHedgeWon();
  const std::string text = metrics.Text({});
  EXPECT_THAT(text, HasSubstr("clusterd_fanout_node_hedges_total 2"));
  EXPECT_THAT(text, HasSubstr("clusterd_fanout_node_hedges_won_total 1"));
}

TEST(Metrics, SelfPreservationIsAGaugeOfItsOwn) {
  Metrics metrics;
  EXPECT_THAT(metrics.Text({}), HasSubstr("clusterd_self_preservation 0"));
  metrics.OnSelfPreservation(true);
  metrics.OnHeldBack();
  const std::string text = metrics.Text({});
  EXPECT_THAT(text, HasSubstr("clusterd_self_preservation 1"));
  EXPECT_THAT(text, HasSubstr("clusterd_self_preservations_total 1"));
  EXPECT_THAT(text, HasSubstr("clusterd_evictions_held_back_total 1"));
  metrics.OnSelfPreservation(false);
  EXPECT_THAT(metrics.Text({}), HasSubstr("clusterd_self_preservation 0"));
}

}  // namespace
}  // namespace coord
