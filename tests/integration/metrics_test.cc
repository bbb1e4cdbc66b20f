// Each series of /metrics, moved by what it is said to count.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "tests/support/cluster_fixture.h"
#include "tests/support/metrics_text.h"
#include "tests/support/raw_client.h"

namespace coord {
namespace {

using testing::IsEmpty;

Config QuickConfig() {
  Config config = TestConfig();
  config.serve_mit.emplace();
  config.registrar.min_ttl = absl::Milliseconds(1);
  config.registrar.probe_interval = absl::Milliseconds(5);
  config.evictor.look_again = absl::Milliseconds(10);
  return config;
}

std::string Evictions(const std::string& cause) {
  return absl::StrCat("clusterd_evictions_total{cause=\"", cause, "\"}");
}

std::string Failures(const std::string& reason) {
  return absl::StrCat("clusterd_fanout_node_failures_total{reason=\"", reason,
                      "\"}");
}

std::string Calls(const std::string& verdict) {
  return absl::StrCat("clusterd_fanout_calls_total{verdict=\"", verdict, "\"}");
}

class MetricsTest : public ClusterTest {
 protected:
  explicit MetricsTest(const Config& config = QuickConfig())
      : ClusterTest(config) {}

  // What clusterd's HTTP listener answers, without the head.
  std::string Ask(const std::string& method, const std::string& path,
                  const std::string& body = "") {
    int port = 0;
    const std::string address = server_->http_address();
    EXPECT_TRUE(
        absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
    RawClient client(static_cast<std::uint16_t>(port));
    client.Write(absl::StrCat(method, " ", path,
                              " HTTP/1.1\r\nHost: x\r\nConnection: "
                              "close\r\nContent-Length: ",
                              body.size(), "\r\n\r\n", body));
    const std::string answer = client.ReadAll();
    return answer.substr(answer.find("\r\n\r\n") + 4);
  }

  MetricsText Look() { return MetricsText(Ask("GET", "/metrics")); }
  double Value(const std::string& series) { return Look().Value(series); }
  // Waits until it has come so far.
  void Await(const std::string& series, double value) {
    while (Value(series) < value) {
    }
    EXPECT_EQ(Value(series), value) << series;
  }
  double AllEvictions() {
    double sum = 0;
    const MetricsText now = Look();
    for (const auto& [series, value] : now.values()) {
      if (series.starts_with("clusterd_evictions_total")) sum += value;
    }
    return sum;
  }

  // A genuine node that nobody answers for.
  void JoinAtMit(const std::string& server_id) {
    EXPECT_TRUE(absl::StrContains(
        Ask("POST", "/mIT/v1/itResources",
            absl::StrCat(R"({"type":"mTest","serverId":")", server_id,
                         R"(","clusterBaseUrl":"http://127.0.0.1:1",)"
                         R"("publicBaseUrl":"http://public.test"})")),
        server_id));
  }
  pb::ListServersResponse Servers() {
    pb::ListServersRequest request;
    request.set_type("mTest");
    pb::ListServersResponse response;
    EXPECT_TRUE(
        Do(&pb::RegistryService::Stub::ListServers, request, &response).ok());
    return response;
  }
};

TEST_F(MetricsTest, EverySeriesBeginsAtZeroAndKeepsToTheConventions) {
  const MetricsText metrics = Look();
  EXPECT_THAT(metrics.problems(), IsEmpty());
  for (const auto& [series, value] : metrics.values()) {
    if (series.starts_with("clusterd_build_info") ||
        series == "clusterd_fanout_node_calls_allowed" ||
        series.starts_with("clusterd_store_")) {
      continue;
    }
    EXPECT_EQ(value, 0) << series;
  }
}

TEST_F(MetricsTest, GaugesShowWhatIsThere) {
  AddNode("node-1");
  AddNode("node-2");
  MetricsText metrics = Look();
  EXPECT_EQ(metrics.Value("clusterd_registrations"), 2);
  EXPECT_EQ(metrics.Value("clusterd_clusters"), 1);
  EXPECT_EQ(metrics.Value("clusterd_servers"), 2);
  EXPECT_GT(metrics.Value("clusterd_fanout_node_calls_allowed"), 0);
  const double commits = metrics.Value("clusterd_store_commits_total");
  const double writes = metrics.Value("clusterd_store_writes_total");
  EXPECT_GE(writes, commits);
  ASSERT_TRUE(Unregister("node-1").ok());
  metrics = Look();
  EXPECT_EQ(metrics.Value("clusterd_registrations"), 1);
  EXPECT_EQ(metrics.Value("clusterd_servers"), 1);
  EXPECT_GT(metrics.Value("clusterd_store_commits_total"), commits);
  EXPECT_GT(metrics.Value("clusterd_store_writes_total"), writes);
  EXPECT_EQ(metrics.Value("clusterd_store_queue"), 0);
  EXPECT_EQ(AllEvictions(), 0);
}

TEST_F(MetricsTest, CallsAndTheirNodes) {
  AddNode("node-1");
  AddNode("node-2");
  ASSERT_TRUE(FanOut(GetCall("/info")).ok());
  MetricsText metrics = Look();
  EXPECT_EQ(metrics.Value("clusterd_fanout_calls_started_total"), 1);
  EXPECT_EQ(metrics.Value(Calls("complete")), 1);
  EXPECT_EQ(metrics.Value("clusterd_fanout_node_results_total"), 2);
  EXPECT_EQ(metrics.Value("clusterd_fanout_call_seconds_count"), 1);

  pb::DrainServerRequest drain;
  drain.set_type("mTest");
  drain.set_server_id("node-2");
  pb::DrainServerResponse drained;
  ASSERT_TRUE(
      Do(&pb::RegistryService::Stub::DrainServer, drain, &drained).ok());
  ASSERT_TRUE(FanOut(GetCall("/info")).ok());
  metrics = Look();
  EXPECT_EQ(metrics.Value(Calls("partial")), 1);
  EXPECT_EQ(metrics.Value("clusterd_fanout_node_skips_total"), 1);

  pb::FanOutRequest ghost = GetCall("/info");
  ghost.mutable_selection()->add_server_ids("ghost");
  ASSERT_TRUE(FanOut(ghost).ok());
  metrics = Look();
  EXPECT_EQ(metrics.Value(Calls("none")), 1);
  EXPECT_EQ(metrics.Value(Failures("not_member")), 1);
  EXPECT_EQ(metrics.Value("clusterd_fanout_calls_started_total"), 3);
  EXPECT_EQ(metrics.Value("clusterd_fanout_calls_refused_total"), 0);
}

TEST_F(MetricsTest, EachRefusalWhereverItIsMade) {
  AddNode("node-1");
  EXPECT_FALSE(FanOut(GetCall("no slash")).ok());
  EXPECT_EQ(Value("clusterd_fanout_calls_refused_total"), 1);
  pb::FanOutRequest request = GetCall("/info");
  request.mutable_attempt_timeout()->set_nanos(2'000'000'000);  // no duration
  EXPECT_FALSE(FanOut(request).ok());
  EXPECT_EQ(Value("clusterd_fanout_calls_refused_total"), 2);
  request = GetCall("/info");
  request.set_type("nobody");
  EXPECT_FALSE(FanOut(request).ok());
  EXPECT_EQ(Value("clusterd_fanout_calls_refused_total"), 3);
  EXPECT_EQ(Value("clusterd_fanout_calls_over_limit_total"), 0);
  EXPECT_EQ(Value("clusterd_fanout_calls_started_total"), 0);
}

TEST_F(MetricsTest, RetriesAndHedges) {
  AddRawNode("node-1", [](RawPeer& peer, int index) {
    const std::string request = peer.ReadRequest();
    if (absl::StartsWith(request, "GET /bad")) {
      peer.Write(RawAnswer(503, "{}"));
    } else if (index > 2) {
      peer.Write(RawAnswer(200, R"({"data":7})"));
    } else {
      peer.WaitForClose();
    }
  });
  pb::FanOutRequest bad = GetCall("/bad");
  bad.mutable_retry()->set_max_attempts(2);
  bad.mutable_retry()->mutable_initial_backoff()->set_nanos(1'000'000);
  ASSERT_TRUE(FanOut(bad).ok());
  EXPECT_EQ(Value("clusterd_fanout_node_retries_total"), 1);
  EXPECT_EQ(Value(Failures("http_status")), 1);
  pb::FanOutRequest hedged = GetCall("/info");
  hedged.mutable_hedge()->mutable_delay()->set_nanos(5'000'000);
  ASSERT_TRUE(FanOut(hedged).ok());
  EXPECT_EQ(Value("clusterd_fanout_node_hedges_total"), 1);
  EXPECT_EQ(Value("clusterd_fanout_node_hedges_won_total"), 1);
  EXPECT_EQ(Value("clusterd_fanout_node_retries_total"), 1);
}

// A fan-out that runs until it is given up.
class OpenCall {
 public:
  explicit OpenCall(pb::FanOutService::Stub& stub) : request_(GetCall("/")) {
    stub.async()->FanOut(&context_, &request_, &response_,
                         [this](const grpc::Status&) { ended_.Notify(); });
  }
  ~OpenCall() {
    context_.TryCancel();
    ended_.WaitForNotification();
  }

 private:
  grpc::ClientContext context_;
  pb::FanOutRequest request_;
  pb::FanOutResponse response_;
  absl::Notification ended_;
};

class BusyMetricsTest : public MetricsTest {
 protected:
  BusyMetricsTest() : MetricsTest(OneCallAtATime()) {}

  static Config OneCallAtATime() {
    Config config = QuickConfig();
    config.fanout.max_calls = 1;
    config.fanout.max_queued_calls = 1;
    config.fanout.max_queue_time = absl::Hours(1);
    return config;
  }
};

TEST_F(BusyMetricsTest, CallsThatRunWaitAndAreTooMany) {
  AddRawNode("node-1", [](RawPeer& peer, int) { peer.WaitForClose(); });
  auto running = std::make_unique<OpenCall>(*fan_out_);
  Await("clusterd_fanout_calls_in_flight", 1);
  auto waiting = std::make_unique<OpenCall>(*fan_out_);
  Await("clusterd_fanout_calls_waiting", 1);
  EXPECT_FALSE(FanOut(GetCall("/")).ok());
  EXPECT_EQ(Value("clusterd_fanout_calls_over_limit_total"), 1);
  EXPECT_EQ(Value("clusterd_fanout_calls_refused_total"), 1);

  waiting.reset();
  Await("clusterd_fanout_calls_refused_total", 2);
  EXPECT_EQ(Value("clusterd_fanout_calls_over_limit_total"), 1);
  EXPECT_EQ(Value("clusterd_fanout_calls_waiting"), 0);
  EXPECT_EQ(Value("clusterd_fanout_wait_seconds_count"), 1);
  EXPECT_EQ(Value(Calls("none")), 0);

  running.reset();
  Await(Calls("none"), 1);
  EXPECT_EQ(Value(Failures("cancelled")), 1);
  EXPECT_EQ(Value("clusterd_fanout_calls_started_total"), 1);
}

TEST_F(MetricsTest, SuspicionsAndHowTheyEnd) {
  for (const char* id : {"node-1", "node-2", "node-3"}) AddNode(id);
  const std::uint16_t port = nodes_[1]->port();
  nodes_[1].reset();
  ASSERT_TRUE(FanOut(GetCall("/info")).ok());
  Await(Evictions("unreachable"), 1);
  EXPECT_EQ(Value("clusterd_suspicions_total"), 1);
  EXPECT_EQ(Value(Failures("unreachable")), 1);

  // Once in ten minutes.
  nodes_[1] = StartNode("node-2", port);
  nodes_[1].reset();
  ASSERT_TRUE(FanOut(GetCall("/info")).ok());
  Await("clusterd_suspicions_kept_total", 1);
  EXPECT_EQ(Value("clusterd_suspicions_total"), 2);
  EXPECT_EQ(Value("clusterd_suspicions_cleared_total"), 0);
  nodes_[1] = StartNode("node-2", port);
  Await("clusterd_suspicions_cleared_total", 1);
  EXPECT_EQ(AllEvictions(), 1);
}

TEST_F(MetricsTest, AnOlderServerAtANewersAddress) {
  JoinAtMit("g1");
  JoinAtMit("g2");
  ASSERT_TRUE(FanOut(GetCall("/info")).ok());
  Await(Evictions("same_address"), 1);
  Await(Evictions("unreachable"), 1);
  EXPECT_EQ(Value("clusterd_suspicions_total"), 2);
  EXPECT_EQ(Value("clusterd_suspicions_cleared_total"), 0);
  EXPECT_EQ(AllEvictions(), 2);
}

class CutOffMetricsTest : public MetricsTest {
 protected:
  CutOffMetricsTest() : MetricsTest(Patient()) {}

  // Both must have failed a probe before one has failed three.
  static Config Patient() {
    Config config = QuickConfig();
    config.evictor.probe_pause = absl::Milliseconds(100);
    return config;
  }
};

TEST_F(CutOffMetricsTest, SelfPreservationBeginsHoldsBackAndEnds) {
  for (const char* id : {"node-1", "node-2", "node-3"}) AddNode(id);
  const std::uint16_t port = nodes_[1]->port();
  nodes_[1].reset();
  nodes_[2].reset();
  ASSERT_TRUE(FanOut(GetCall("/info")).ok());
  Await("clusterd_self_preservation", 1);
  Await("clusterd_evictions_held_back_total", 2);
  EXPECT_EQ(Value("clusterd_self_preservations_total"), 1);
  EXPECT_EQ(AllEvictions(), 0);
  nodes_[1] = StartNode("node-2", port);
  Await("clusterd_suspicions_cleared_total", 1);
  EXPECT_EQ(Value("clusterd_self_preservation"), 0);
  // Once more for each time that the rest failed anew meanwhile.
  EXPECT_GE(Value("clusterd_self_preservations_total"), 1);
}

TEST_F(MetricsTest, EvictionsByHand) {
  AddNode("node-1");
  pb::EvictServerRequest request;
  request.set_type("mTest");
  request.set_server_id("node-1");
  request.set_etag(Servers().servers(0).etag());
  pb::EvictServerResponse response;
  const absl::Status status =
      Do(&pb::RegistryService::Stub::EvictServer, request, &response);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(response.outcome(), pb::EVICTION_OUTCOME_RETURNED);
  EXPECT_EQ(Value(Evictions("manual")), 1);
  EXPECT_FALSE(
      Do(&pb::RegistryService::Stub::EvictServer, request, &response).ok());
  EXPECT_EQ(AllEvictions(), 1);
  EXPECT_EQ(Value("clusterd_suspicions_total"), 0);
}

TEST_F(MetricsTest, SessionsThatLapse) {
  pb::RegisterServerRequest request =
      Registration("node-1", "http://127.0.0.1:1", false);
  const auto registered = Register(request);
  ASSERT_TRUE(registered.ok()) << registered.status();
  // As a retry, with a ttl that may be over before it is answered.
  request.set_session_id(registered->session_id());
  request.mutable_ttl()->set_seconds(0);
  request.mutable_ttl()->set_nanos(1'000'000);
  Register(request).IgnoreError();
  Await(Evictions("session"), 1);
  EXPECT_EQ(AllEvictions(), 1);
}

TEST_F(MetricsTest, ServicesThatFailTheirProbes) {
  auto node = std::make_unique<HttpNode>(node_loop_, "node-1");
  pb::RegisterServerRequest request =
      Registration("node-1", node->base_url(), true);
  request.clear_ttl();
  ASSERT_TRUE(Register(request).ok());
  node.reset();
  Await(Evictions("probe"), 1);
  EXPECT_EQ(AllEvictions(), 1);
}

TEST_F(MetricsTest, ServersThatOthersRemove) {
  JoinAtMit("g1");
  const pb::ListServersResponse servers = Servers();
  pb::GetClusterRequest request;
  request.set_type("mTest");
  pb::GetClusterResponse cluster;
  ASSERT_TRUE(
      Do(&pb::RegistryService::Stub::GetCluster, request, &cluster).ok());
  const std::string path = absl::StrCat("/mIT/v1/itResources/",
                                        cluster.cluster().id(), "/servers/g1");
  Ask("DELETE", absl::StrCat(path, "@", servers.servers(0).etag()));
  EXPECT_EQ(Value(Evictions("peer")), 1);
  JoinAtMit("g1");
  Ask("DELETE", path);  // it unregisters
  EXPECT_EQ(AllEvictions(), 1);
}

class LeaseMetricsTest : public MetricsTest {
 protected:
  LeaseMetricsTest() : MetricsTest(ShortLeases()) {}

  static Config ShortLeases() {
    Config config = QuickConfig();
    config.embedded.lease = absl::Milliseconds(10);
    config.embedded.expiry_grace = absl::ZeroDuration();
    return config;
  }
};

TEST_F(LeaseMetricsTest, ServersThatDoNotRenew) {
  JoinAtMit("g1");
  Await(Evictions("lease"), 1);
  EXPECT_EQ(AllEvictions(), 1);
}

}  // namespace
}  // namespace coord
