// Whole commands against a scripted clusterd: output and exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "client/ctl/command.h"
#include "common/error.h"
#include "tests/unit/client/clusterctl_fixture.h"

namespace coord {
namespace {

using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

TEST_F(ClusterctlTest, RegisterWaitsAndShowsTheSession) {
  EXPECT_EQ(
      Run({"register", "orders", "--url", "http://a:1", "--id", "node-1",
           "--ttl", "10s", "--location", R"({"zone":"a"})", "--node-api"}),
      ExitCode::kOk)
      << err();
  EXPECT_THAT(out(), HasSubstr("session:       session-1\n"));
  ASSERT_THAT(server_.registered(), SizeIs(1));
  const pb::RegisterServerRequest request = server_.registered()[0];
  EXPECT_TRUE(request.wait());
  EXPECT_EQ(request.ttl().seconds(), 10);
  EXPECT_TRUE(request.server().node_api());
  EXPECT_EQ(request.server()
                .location()
                .struct_value()
                .fields()
                .at("zone")
                .string_value(),
            "a");
}

TEST_F(ClusterctlTest, RegisterWithoutTtlLetsClusterdProbe) {
  EXPECT_EQ(Run({"register", "orders", "--url", "http://a:1"}), ExitCode::kOk);
  EXPECT_FALSE(server_.registered()[0].has_ttl());
  EXPECT_FALSE(server_.registered()[0].server().has_location());
}

TEST_F(ClusterctlTest, RegisterMayNameALocalAddressInstead) {
  EXPECT_EQ(
      Run({"register", "orders", "--local-base-url", "http://127.0.0.1:8080"}),
      ExitCode::kOk);
  EXPECT_EQ(server_.registered()[0].local_base_url(), "http://127.0.0.1:8080");
  EXPECT_EQ(server_.registered()[0].server().cluster_base_url(), "");
}

TEST_F(ClusterctlTest, WhatClusterdFindsInvalidIsBadUsage) {
  server_.on_register = [](const auto&, auto*) {
    return Refuse(Reason::kInvalidField, "ttl: must be at least 1s");
  };
  EXPECT_EQ(Run({"register", "orders", "--url", "http://a:1"}),
            ExitCode::kBadUsage);
  EXPECT_THAT(err(), HasSubstr("ttl: must be at least 1s"));
}

TEST_F(ClusterctlTest, RegisterKeepAliveFailsWhenSuperseded) {
  server_.on_keep_alive = [](const auto& request) {
    return Dead(request, "SESSION_SUPERSEDED");
  };
  EXPECT_EQ(Run({"register", "orders", "--url", "http://a:1", "--id", "node-1",
                 "--keepalive"}),
            ExitCode::kFailed);
  EXPECT_EQ(out(), "orders/node-1 REGISTERED session session-1\n");
  EXPECT_EQ(err(),
            "clusterctl: keep alive: the session is over "
            "(SESSION_SUPERSEDED)\n");
  EXPECT_THAT(server_.unregistered(), SizeIs(0));
}

TEST_F(ClusterctlTest, KeepAliveFailsWhenOneSessionIsOver) {
  EXPECT_EQ(Run({"keepalive", "one", "two"}), ExitCode::kOk);
  EXPECT_EQ(out(),
            "one  REGISTERED  30s left\n"
            "two  REGISTERED  30s left\n");

  server_.on_keep_alive = [](const auto& request) {
    return request.session_id() == "one" ? Dead(request, "LEASE_EXPIRED")
                                         : Alive(request);
  };
  EXPECT_EQ(Run({"keepalive", "one", "two"}), ExitCode::kFailed);
  EXPECT_EQ(out(), "two  REGISTERED  30s left\n");
  EXPECT_EQ(err(),
            "clusterctl: one: keep alive: the session is over "
            "(LEASE_EXPIRED)\n");
}

TEST_F(ClusterctlTest, UnregisterTellsWhatWentWrongOnTheWay) {
  server_.on_unregister = [](const auto& request, auto* response) {
    response->set_server_id(request.server_id());
    response->set_server_count(3);
    response->add_errors()->set_message("authority answered 503");
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"unregister", "orders", "node-1"}), ExitCode::kOk);
  EXPECT_EQ(out(), "orders/node-1 is unregistered; 2 servers left\n");
  EXPECT_EQ(err(), "clusterctl: authority: authority answered 503\n");
}

TEST_F(ClusterctlTest, EvictSaysThatANewerRecordStands) {
  server_.on_evict = [](const auto& request, auto*) {
    EXPECT_EQ(request.etag(), "e1");
    return Refuse(Reason::kEtagMismatch, "evict orders/node-1: it is newer");
  };
  EXPECT_EQ(Run({"evict", "orders", "node-1", "--etag", "e1"}),
            ExitCode::kFailed);
  EXPECT_EQ(err(),
            "clusterctl: evict orders/node-1: it is newer (ETAG_MISMATCH)\n");
}

TEST_F(ClusterctlTest, EvictTellsWhatBecameOfTheServer) {
  server_.on_evict = [](const auto&, auto* response) {
    response->set_outcome(pb::EVICTION_OUTCOME_GONE);
    response->set_message("it does not answer a probe (refused)");
    return grpc::Status::OK;
  };
  const std::vector<std::string> evict = {"evict", "orders", "node-1", "--etag",
                                          "e1"};
  EXPECT_EQ(Run(evict), ExitCode::kOk);
  EXPECT_EQ(
      out(),
      "orders/node-1 was evicted; it does not answer a probe (refused)\n");
  EXPECT_EQ(err(), "");

  server_.on_evict = [](const auto&, auto*) { return grpc::Status::OK; };
  EXPECT_EQ(Run(evict), ExitCode::kOk);  // a clusterd that does not know
  EXPECT_EQ(out(), "orders/node-1 was evicted\n");
}

TEST_F(ClusterctlTest, EvictFailsWhereTheServerIsBack) {
  server_.on_evict = [](const auto&, auto* response) {
    response->set_outcome(pb::EVICTION_OUTCOME_RETURNED);
    response->set_message("it is registered here and came back");
    return grpc::Status::OK;
  };
  std::vector<std::string> evict = {"evict", "orders", "node-1", "--etag",
                                    "e1"};
  EXPECT_EQ(Run(evict), ExitCode::kFailed);
  EXPECT_EQ(out(), "");
  EXPECT_EQ(err(),
            "clusterctl: orders/node-1 was evicted; it is registered here and "
            "came back\n");
  evict.push_back("--json");
  EXPECT_EQ(Run(evict), ExitCode::kFailed);
  EXPECT_THAT(out(), HasSubstr(R"("outcome": "EVICTION_OUTCOME_RETURNED")"));
}

TEST_F(ClusterctlTest, UnregisterOfOneThatWasInNoClusterCountsNobody) {
  server_.on_unregister = [](const auto&, auto*) { return grpc::Status::OK; };
  EXPECT_EQ(Run({"unregister", "orders", "node-1"}), ExitCode::kOk);
  EXPECT_EQ(out(), "orders/node-1 is unregistered\n");
}

TEST_F(ClusterctlTest, ServersReadsAllPages) {
  server_.on_list_servers = [](const auto& request, auto* response) {
    const bool first = request.page_token().empty();
    response->add_servers()->set_server_id(first ? "node-1" : "node-2");
    response->set_next_page_token(first ? "more" : "");
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"servers", "orders"}), ExitCode::kOk);
  EXPECT_EQ(out(),
            "SERVER  STATE        NODE API\n"
            "node-1  UNSPECIFIED  no\n"
            "node-2  UNSPECIFIED  no\n");
}

TEST_F(ClusterctlTest, StatusEnvNeedsOneRegistration) {
  server_.on_list_registrations = [](const auto& request, auto* response) {
    const int count = request.type() == "orders" ? 1 : 2;
    for (int i = 0; i < count; ++i) {
      response->add_registrations()->mutable_status()->set_registration_status(
          "registered");
    }
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"status", "orders", "--env"}), ExitCode::kOk);
  EXPECT_THAT(out(), StartsWith("REGISTRATION_STATUS='registered'\n"));
  EXPECT_EQ(Run({"status", "--env"}), ExitCode::kFailed);
  EXPECT_THAT(err(), HasSubstr("2 match"));
}

TEST_F(ClusterctlTest, StatusTellsWhetherClusterdSuspectsItself) {
  server_.on_list_registrations = [](const auto& request, auto* response) {
    pb::Registration& registration = *response->add_registrations();
    registration.mutable_server()->set_server_id("node-1");
    registration.mutable_status()->set_self_preservation(request.type() ==
                                                         "orders");
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"status"}), ExitCode::kOk);
  EXPECT_THAT(out(), Not(HasSubstr("evictions")));
  EXPECT_EQ(Run({"status", "orders"}), ExitCode::kOk);
  EXPECT_THAT(out(), HasSubstr("\nevictions: slowed down, clusterd suspects "
                               "itself\n"));
}

TEST_F(ClusterctlTest, CallSendsWhatTheArgumentsSay) {
  server_.on_fan_out = [](const auto&, auto* response) {
    response->set_verdict(pb::VERDICT_COMPLETE);
    response->set_policy_met(true);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"call",
                 "orders",
                 "POST",
                 "/flush?key=7",
                 "--header",
                 "x-a:  b ",
                 "--data",
                 "{}",
                 "--origin",
                 "node-1",
                 "--server",
                 "node-2",
                 "--server",
                 "node-3",
                 "--policy",
                 "at_least=2",
                 "--bodies",
                 "all",
                 "--attempts",
                 "1",
                 "--idempotent",
                 "yes",
                 "--attempt-timeout",
                 "250ms",
                 "--hedge",
                 "20ms"}),
            ExitCode::kOk)
      << err();
  ASSERT_THAT(server_.fanned_out(), SizeIs(1));
  const pb::FanOutRequest request = server_.fanned_out()[0];
  EXPECT_EQ(request.type(), "orders");
  EXPECT_EQ(request.http().method(), "POST");
  EXPECT_EQ(request.http().path(), "/flush");
  EXPECT_EQ(request.http().query(), "key=7");
  EXPECT_EQ(request.http().body(), "{}");
  ASSERT_EQ(request.http().headers_size(), 1);
  EXPECT_EQ(request.http().headers(0).name(), "x-a");
  EXPECT_EQ(request.http().headers(0).value(), "b");
  EXPECT_EQ(request.origin_server_id(), "node-1");
  EXPECT_THAT(request.selection().server_ids(),
              testing::ElementsAre("node-2", "node-3"));
  EXPECT_EQ(request.policy().at_least(), 2);
  EXPECT_EQ(request.body_view(), pb::BODY_VIEW_ALL);
  EXPECT_EQ(request.retry().max_attempts(), 1);
  EXPECT_TRUE(request.idempotent());
  EXPECT_EQ(request.attempt_timeout().nanos(), 250'000'000);
  EXPECT_EQ(request.hedge().delay().nanos(), 20'000'000);

  EXPECT_EQ(Run({"call", "orders", "GET", "/", "--hedge", "p95"}),
            ExitCode::kOk);
  EXPECT_TRUE(server_.fanned_out()[1].has_hedge());
  EXPECT_FALSE(server_.fanned_out()[1].hedge().has_delay());

  EXPECT_EQ(Run({"call", "orders", "GET", "/", "--hedge", "soon"}),
            ExitCode::kBadUsage);
  EXPECT_THAT(err(), HasSubstr("of at most 24h, or p95"));
}

TEST_F(ClusterctlTest, CallSendsTheMethodInUpperCase) {
  EXPECT_EQ(Run({"call", "orders", "get", "/"}), ExitCode::kFailed);
  EXPECT_EQ(server_.fanned_out()[0].http().method(), "GET");
  EXPECT_EQ(Run({"call", "--help"}), ExitCode::kOk);
  EXPECT_THAT(out(), HasSubstr("of HTTP, such as GET; sent in upper case\n"));
}

TEST_F(ClusterctlTest, CallExitsByTheVerdict) {
  pb::FanOutResponse response;
  server_.on_fan_out = [&response](const auto&, auto* answer) {
    *answer = response;
    return grpc::Status::OK;
  };
  response.set_verdict(pb::VERDICT_PARTIAL);
  response.set_policy_met(true);
  EXPECT_EQ(Run({"call", "orders", "GET", "/"}), ExitCode::kPartialAnswer);
  EXPECT_EQ(Run({"call", "orders", "GET", "/", "--policy", "best_effort"}),
            ExitCode::kPartialAnswer);
  EXPECT_EQ(Run({"call", "orders", "GET", "/", "--policy", "first=1"}),
            ExitCode::kOk);
  response.set_verdict(pb::VERDICT_NONE);
  EXPECT_EQ(Run({"call", "orders", "GET", "/"}), ExitCode::kNoAnswer);
  server_.on_fan_out = [](const auto&, auto*) {
    return Refuse(Reason::kPolicyImpossible, "call orders: 2 servers");
  };
  EXPECT_EQ(Run({"call", "orders", "GET", "/"}), ExitCode::kFailed);
}

TEST_F(ClusterctlTest, ACallThatReachesNobodyHasNoAnswer) {
  pb::FanOutResponse nobody;
  nobody.set_verdict(pb::VERDICT_COMPLETE);
  nobody.set_policy_met(true);
  nobody.add_warnings(pb::WARNING_EMPTY);
  server_.on_fan_out = [&nobody](const auto&, auto* answer) {
    *answer = nobody;
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"call", "orders", "GET", "/"}), ExitCode::kNoAnswer);
  EXPECT_THAT(out(), HasSubstr("warning EMPTY: there was nobody to call\n"));
  EXPECT_EQ(Run({"call", "orders", "GET", "/", "--policy", "all"}),
            ExitCode::kNoAnswer);
  EXPECT_EQ(Run({"call", "orders", "GET", "/", "--min-expected", "0"}),
            ExitCode::kOk);
  EXPECT_EQ(Run({"call", "orders", "GET", "/", "--min-expected=3"}),
            ExitCode::kNoAnswer);
  EXPECT_EQ(server_.fanned_out()[0].min_expected(), 1);
  EXPECT_EQ(server_.fanned_out()[2].min_expected(), 0);
  EXPECT_EQ(server_.fanned_out()[3].min_expected(), 3);
  EXPECT_FALSE(server_.fanned_out()[0].has_selection());

  server_.on_fan_out = [](const auto&, auto*) {
    return Refuse(Reason::kTooFewServers, "call orders: 0 servers");
  };
  EXPECT_EQ(Run({"call", "orders", "GET", "/"}), ExitCode::kNoAnswer);
  EXPECT_EQ(err(), "clusterctl: call orders: 0 servers (TOO_FEW_SERVERS)\n");
  EXPECT_EQ(Run({"call", "orders", "GET", "/", "--min-expected", "-1"}),
            ExitCode::kBadUsage);
}

TEST_F(ClusterctlTest, ListsTellHowOldTheyAre) {
  int seconds = 0;
  server_.on_list_servers = [&seconds](const auto&, auto* response) {
    response->add_servers()->set_server_id("node-1");
    response->mutable_membership_age()->set_seconds(seconds);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"servers", "orders"}), ExitCode::kOk);
  EXPECT_THAT(out(), Not(HasSubstr("membership")));
  seconds = 42;
  EXPECT_EQ(Run({"servers", "orders"}), ExitCode::kOk);
  EXPECT_THAT(out(), HasSubstr("\nmembership 42s old\n"));
  EXPECT_EQ(Run({"servers", "orders", "--json"}), ExitCode::kOk);
  EXPECT_THAT(out(), HasSubstr(R"("membershipAge": "42s")"));
}

TEST_F(ClusterctlTest, CallPrintsTheMessageAsJson) {
  server_.on_fan_out = [](const auto&, auto* response) {
    response->set_verdict(pb::VERDICT_COMPLETE);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"call", "orders", "GET", "/", "--json"}), ExitCode::kOk);
  EXPECT_THAT(out(), HasSubstr(R"("verdict": "VERDICT_COMPLETE")"));
  EXPECT_THAT(out(), HasSubstr(R"("policyMet": false)"));
}

TEST_F(ClusterctlTest, CallStreamsOutcomesAndExitsByTheSummary) {
  pb::StreamFanOutResponse skip;
  skip.mutable_skip()->set_server_id("node-2");
  skip.mutable_skip()->set_reason(pb::SKIP_REASON_DRAINING);
  skip.mutable_skip()->set_certainty(pb::CERTAINTY_NOT_SENT);
  pb::StreamFanOutResponse summary;
  summary.mutable_summary()->set_verdict(pb::VERDICT_PARTIAL);
  summary.mutable_summary()->set_policy_met(true);
  summary.mutable_summary()->set_expected_count(2);
  summary.mutable_summary()->set_result_count(1);
  summary.mutable_summary()->set_skipped_count(1);
  server_.fan_out_events = {skip, summary};
  EXPECT_EQ(Run({"call", "orders", "GET", "/", "--stream"}),
            ExitCode::kPartialAnswer);
  EXPECT_EQ(out(),
            "node-2  skipped  DRAINING  NOT_SENT\n"
            "PARTIAL: 1 of 2 ok, 1 skipped\n");
}

TEST_F(ClusterctlTest, WatchFailsWhereItIsRefused) {
  server_.on_watch = [](const auto&, auto&, auto&) {
    return Refuse(Reason::kClusterAmbiguous, "watch orders: 2 clusters");
  };
  EXPECT_EQ(Run({"watch", "orders"}), ExitCode::kFailed);
  EXPECT_EQ(err(),
            "clusterctl: watch orders: 2 clusters (CLUSTER_AMBIGUOUS)\n");
}

TEST_F(ClusterctlTest, WatchPrintsALineForEachChange) {
  server_.on_watch = [this](const auto&, auto&, auto& writer) {
    pb::WatchClusterResponse snapshot;
    snapshot.mutable_snapshot()->set_last(true);
    snapshot.mutable_snapshot()->mutable_cluster()->set_type("orders");
    snapshot.mutable_snapshot()->mutable_cluster()->set_id("c1");
    writer.Write(snapshot);
    pb::WatchClusterResponse change;
    change.mutable_change()->set_type(pb::CHANGE_TYPE_JOINED);
    change.mutable_change()->mutable_server()->set_server_id("node-1");
    change.mutable_change()->mutable_server()->set_cluster_base_url("http://a");
    change.mutable_change()->mutable_server()->set_state(
        pb::SERVER_STATE_ACTIVE);
    writer.Write(change);
    return Refuse(Reason::kPermissionDenied, "enough");
  };
  EXPECT_EQ(Run({"watch", "orders"}), ExitCode::kFailed);
  EXPECT_THAT(out(), testing::MatchesRegex(
                         "[0-9T:.-]+Z  SNAPSHOT  0 servers in orders c1\n"
                         "[0-9T:.-]+Z  JOINED    node-1  http://a\n"));
}

TEST_F(ClusterctlTest, HealthNeedsAHealthService) {
  EXPECT_EQ(Run({"health"}), ExitCode::kFailed);
  EXPECT_THAT(err(), StartsWith("clusterctl: "));
}

}  // namespace
}  // namespace coord
