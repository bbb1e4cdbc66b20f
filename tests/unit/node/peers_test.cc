#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/error.h"
#include "server/registry/it_resource.h"
#include "tests/unit/node/peers_fixture.h"

namespace coord {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(PeersTest, ProbeAsksTheNodeApiWhoLivesThere) {
  Probe(Make(), NodeAt("a", "10.0.0.1"));
  EXPECT_EQ(Sent(), "DELETE http://10.0.0.1/x/itResources/-/servers/-");
  EXPECT_THAT(Tail(), HasSubstr("x-correlation-id: "));
  EXPECT_EQ(transport_.requests[0].request.timeout, absl::Seconds(10));
}

TEST_F(PeersTest, ProbeOfOthersGetsTheirBaseUrl) {
  Server plain = NodeAt("a", "10.0.0.1");
  plain.node_api = NodeApi::kNo;
  Probe(Make(), plain);
  EXPECT_EQ(Sent(), "GET http://10.0.0.1/x");
}

TEST_F(PeersTest, AnyAnswerMeansAlive) {
  Probe(Make(), NodeAt("a", "10.0.0.1"));
  transport_.Answer(500, "");
  EXPECT_EQ(alive_, true);
}

TEST_F(PeersTest, AnAnswerTooLargeMeansAlive) {
  Probe(Make(), NodeAt("a", "10.0.0.1"));
  transport_.Finish(HttpError{HttpError::Kind::kTooLarge, true, true, "big"});
  EXPECT_EQ(alive_, true);
}

TEST_F(PeersTest, AByteOfAnAnswerThatCantBeReadMeansAlive) {
  using Kind = HttpError::Kind;
  Peers& peers = Make();
  for (const Kind kind : {Kind::kBadResponse, Kind::kTooLarge, Kind::kTimeout,
                          Kind::kConnectionLost, Kind::kUnreachable}) {
    Probe(peers, NodeAt("a", "10.0.0.1"));
    HttpError error{kind, true, false, "it is not HTTP"};
    error.heard = true;
    transport_.Finish(std::move(error));
    EXPECT_EQ(alive_, true);
    EXPECT_EQ(why_, "it is not HTTP");
  }
}

TEST_F(PeersTest, AnotherServerAtItsAddressMeansDead) {
  Peers& peers = Make();
  Probe(peers, NodeAt("a", "10.0.0.1"));
  transport_.Answer(200, NodeAnswer("null", "b"));
  EXPECT_EQ(alive_, false);
  EXPECT_EQ(why_, "another server lives at its address");
  Probe(peers, NodeAt("a", "10.0.0.1"));
  transport_.Answer(200, NodeAnswer("null", "a"));
  EXPECT_EQ(alive_, true);
}

// What a service without the node API says of itself is its own affair.
TEST_F(PeersTest, OnlyANodeApiAnswerNamesAServer) {
  Peers& peers = Make();
  Server plain = NodeAt("a", "10.0.0.1");
  plain.node_api = NodeApi::kNo;
  Probe(peers, plain);
  transport_.Answer(200, NodeAnswer("null", "b"));
  EXPECT_EQ(alive_, true);
  Probe(peers, NodeAt("a", "10.0.0.1"));
  transport_.Answer(404, NodeAnswer("null", "b"));
  EXPECT_EQ(alive_, true);
}

TEST_F(PeersTest, AProbeMayConnectForAsLongAsItMayTake) {
  Probe(Make(), NodeAt("a", "10.0.0.1"));
  EXPECT_EQ(transport_.requests[0].request.connect_timeout,
            transport_.requests[0].request.timeout);
}

TEST_F(PeersTest, NoAnswerMeansDead) {
  Peers& peers = Make();
  Probe(peers, NodeAt("a", "10.0.0.1"));
  transport_.Fail(HttpError::Kind::kUnreachable, false);
  EXPECT_EQ(alive_, false);
  EXPECT_EQ(why_, "made to fail");

  alive_.reset();
  Probe(peers, NodeAt("a", "10.0.0.1"));
  loop_.Advance(absl::Seconds(10));
  EXPECT_EQ(alive_, false);
}

TEST_F(PeersTest, AUrlThatIsNoneMeansDead) {
  Server server = NodeAt("a", "10.0.0.1");
  server.cluster_base_url = "nonsense";
  Probe(Make(), server);
  EXPECT_EQ(alive_, false);
}

TEST_F(PeersTest, AWantOfConnectionsOrAddressesSaysNothingAboutTheServer) {
  for (const auto kind :
       {HttpError::Kind::kOverloaded, HttpError::Kind::kUnresolved}) {
    alive_.reset();
    Probe(Make(), NodeAt("a", "10.0.0.1"));
    transport_.Fail(kind, false);
    EXPECT_EQ(alive_, true);
  }
}

TEST_F(PeersTest, AMissingTokenSaysNothingAboutTheServer) {
  FakeTokens tokens;
  tokens.answer = absl::UnavailableError("the token service is down");
  Probe(Make({}, &tokens), NodeAt("a", "10.0.0.1"));
  EXPECT_EQ(alive_, true);
  EXPECT_THAT(transport_.requests, IsEmpty());
}

TEST_F(PeersTest, ProbeCarriesATokenAndDropsARefusedOne) {
  FakeTokens tokens;
  Probe(Make({}, &tokens), NodeAt("a", "10.0.0.1"));
  EXPECT_THAT(Tail(), HasSubstr("authorization: Bearer first\r\n"));
  transport_.Answer(403, "{}");
  EXPECT_EQ(alive_, true);
  EXPECT_THAT(tokens.dropped, ElementsAre("first"));
  EXPECT_THAT(tokens.types, ElementsAre("mTest"));
}

TEST_F(PeersTest, JoinGoesToAllOthersWithTheNodeApi) {
  Server plain = NodeAt("plain", "10.0.0.3");
  plain.node_api = NodeApi::kNo;
  const ClusterSnapshot cluster =
      ClusterOf({NodeAt("self", "10.0.0.9"), NodeAt("a", "10.0.0.1"),
                 NodeAt("b", "10.0.0.2"), plain, NodeAt("local", "10.0.0.4")});
  Join(Make(), cluster, result_);
  ASSERT_EQ(transport_.requests.size(), 2u);
  EXPECT_EQ(Sent(0), "POST http://10.0.0.1/x/itResources");
  EXPECT_EQ(Sent(1), "POST http://10.0.0.2/x/itResources");
  EXPECT_THAT(Tail(), HasSubstr(ItResourceJson(cluster)));
  EXPECT_EQ(transport_.requests[0].request.tail,
            transport_.requests[1].request.tail);
  transport_.Answer(200, NodeAnswer("{}", "a"));
  EXPECT_FALSE(result_.has_value());
  transport_.Answer(200, NodeAnswer("{}", "b"));
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->expected, 2);
  EXPECT_EQ(result_->answered, 2);
  EXPECT_THAT(result_->failed, IsEmpty());
}

TEST_F(PeersTest, AnAnnouncementToNobodyIsDone) {
  Join(Make(), ClusterOf({NodeAt("self", "10.0.0.9")}), result_);
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->expected, 0);
}

TEST_F(PeersTest, LeaveNamesClusterAndServer) {
  Leave(Make(), ClusterOf({NodeAt("a", "10.0.0.1")}), result_);
  EXPECT_EQ(Sent(), "DELETE http://10.0.0.1/x/itResources/c1/servers/self");
}

TEST_F(PeersTest, AnAnswerMustNameTheServerThatWasMeant) {
  Peers& peers = Make();
  const ClusterSnapshot cluster = ClusterOf({NodeAt("a", "10.0.0.1")});
  Join(peers, cluster, result_);
  transport_.Answer(200, NodeAnswer("{}", "somebody"));
  ASSERT_TRUE(result_.has_value());
  ASSERT_EQ(result_->failed.size(), 1u);
  EXPECT_EQ(result_->failed[0].server_id, "a");
  EXPECT_EQ(result_->failed[0].message, "another server lives at this address");

  result_.reset();
  Join(peers, cluster, result_);
  transport_.Answer(200, "{}");
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->failed[0].message, "the answer names no server");
}

TEST_F(PeersTest, TriesThreeTimesOn5xxAnd429AndNoAnswer) {
  Join(Make(), ClusterOf({NodeAt("a", "10.0.0.1")}), result_);
  transport_.Answer(503, "");
  EXPECT_THAT(transport_.requests, IsEmpty());
  loop_.Advance(absl::Seconds(2));
  transport_.Answer(429, "");
  loop_.Advance(absl::Seconds(2));
  EXPECT_FALSE(result_.has_value());
  transport_.Fail(HttpError::Kind::kConnectionLost, true);
  loop_.Advance(absl::Seconds(2));
  EXPECT_THAT(transport_.requests, IsEmpty());
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->failed[0].message, "made to fail");
}

TEST_F(PeersTest, TriesOnceOnOther4xx) {
  Join(Make(), ClusterOf({NodeAt("a", "10.0.0.1")}), result_);
  transport_.Answer(404, "{}");
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->failed[0].message, "answered 404");
}

TEST_F(PeersTest, ANewerJoinReplacesOneThatWaits) {
  Peers& peers = Make();
  const ClusterSnapshot small = ClusterOf({NodeAt("a", "10.0.0.1")});
  const ClusterSnapshot large =
      ClusterOf({NodeAt("a", "10.0.0.1"), NodeAt("self", "10.0.0.9")});
  std::optional<AnnouncementResult> first, second, third;
  Join(peers, small, first);
  Join(peers, small, second);
  Join(peers, large, third);
  ASSERT_EQ(transport_.requests.size(), 1u);  // one at a time for each server
  transport_.Answer(200, NodeAnswer("{}", "a"));
  EXPECT_TRUE(first.has_value());
  ASSERT_EQ(transport_.requests.size(), 1u);
  EXPECT_THAT(Tail(), HasSubstr(ItResourceJson(large)));
  transport_.Answer(200, NodeAnswer("{}", "a"));
  ASSERT_TRUE(second.has_value() && third.has_value());
  EXPECT_EQ(second->answered, 1);
  EXPECT_EQ(third->answered, 1);
  EXPECT_THAT(transport_.requests, IsEmpty());
}

// Of a cluster whose list does not fit into a join.
TEST_F(PeersTest, AJoinThatDoesNotTellOfAllDoesNotReplaceAnother) {
  std::vector<Server> servers = {NodeAt("a", "10.0.0.1"),
                                 NodeAt("old", "10.0.0.2"),
                                 NodeAt("self", "10.0.0.3")};
  for (Server& server : servers) server.node_api = NodeApi::kNo;
  servers[0].node_api = NodeApi::kYes;
  for (int i = 0; i < 1000; ++i) {
    servers.push_back(NodeAt(absl::StrCat("new-", i), "10.0.0.4"));
    servers.back().node_api = NodeApi::kNo;
    servers.back().update_time = absl::UnixEpoch();
  }
  const ClusterSnapshot cluster = ClusterOf(servers);
  Peers& peers = Make();
  std::vector<std::string> told;
  for (const char* about : {"self", "old", "self"}) {
    peers.AnnounceJoin(cluster, about, [&told, about](AnnouncementResult r) {
      told.push_back(absl::StrCat(about, " ", r.answered));
    });
    loop_.RunPosted();
  }
  std::vector<std::string> sent;
  while (!transport_.requests.empty()) {
    sent.push_back(Tail().find(R"("serverId":"old")") == std::string::npos
                       ? "self"
                       : "old");
    transport_.Answer(200, NodeAnswer("{}", "a"));
  }
  EXPECT_THAT(sent, ElementsAre("self", "old", "self"));
  EXPECT_THAT(told, ElementsAre("self 1", "old 1", "self 1"));
}

TEST_F(PeersTest, AnAnswerThatIsTooLongIsNotAskedForAgain) {
  Join(Make(), ClusterOf({NodeAt("a", "10.0.0.1")}), result_);
  transport_.Fail(HttpError::Kind::kTooLarge, true);
  EXPECT_THAT(transport_.requests, IsEmpty());
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->failed[0].message, "made to fail");
}

TEST_F(PeersTest, AJoinNeverOvertakesALeave) {
  Peers& peers = Make();
  const ClusterSnapshot cluster = ClusterOf({NodeAt("a", "10.0.0.1")});
  std::optional<AnnouncementResult> results[4];
  Join(peers, cluster, results[0]);
  Join(peers, cluster, results[1]);
  Leave(peers, cluster, results[2]);
  Join(peers, cluster, results[3]);
  std::vector<std::string> methods;
  while (!transport_.requests.empty()) {
    methods.push_back(transport_.requests[0].request.method);
    transport_.Answer(200, NodeAnswer("{}", "a"));
  }
  EXPECT_THAT(methods, ElementsAre("POST", "DELETE", "POST"));
  for (const auto& result : results) EXPECT_TRUE(result.has_value());
}

TEST_F(PeersTest, KeepsOnlySoManyInFlight) {
  PeersOptions options;
  options.max_announcements = 2;
  std::vector<Server> servers;
  for (int i = 0; i < 5; ++i) {
    servers.push_back(
        NodeAt("s" + std::to_string(i), "10.0.0." + std::to_string(i)));
  }
  Join(Make(options), ClusterOf(servers), result_);
  for (int i = 0; i < 5; ++i) {
    EXPECT_LE(transport_.requests.size(), 2u);
    ASSERT_FALSE(transport_.requests.empty());
    transport_.Answer(200, NodeAnswer("{}", "s" + std::to_string(i)));
  }
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->answered, 5);
}

TEST_F(PeersTest, ProbesOnlySoManyAtOnce) {
  PeersOptions options;
  options.probes.at_once = 2;
  Peers& peers = Make(options);
  for (const char* id : {"a", "b", "c"}) {
    Server server = NodeAt(id, std::string(id) + ".test");
    server.node_api = NodeApi::kNo;
    peers.Probe(server, [this, id](const ProbeResult&) { order_ += id; });
  }
  loop_.RunPosted();
  EXPECT_EQ(transport_.requests.size(), 2u);
  transport_.Answer(200, "");
  loop_.RunPosted();
  ASSERT_EQ(transport_.requests.size(), 2u);
  EXPECT_EQ(transport_.requests[1].ToString(), "GET http://c.test/x");
  transport_.Answer(200, "");
  transport_.Answer(200, "");
  loop_.RunPosted();
  EXPECT_EQ(order_, "abc");
}

TEST_F(PeersTest, WhatIsOverAllDeliveriesIsToldAsFailed) {
  PeersOptions options;
  options.max_deliveries = 2;
  Peers& peers = Make(options);
  Join(peers,
       ClusterOf({NodeAt("a", "a.test"), NodeAt("b", "b.test"),
                  NodeAt("c", "c.test")}),
       result_);
  loop_.RunPosted();
  EXPECT_EQ(transport_.requests.size(), 2u);
  transport_.Answer(200, NodeAnswer("{}", "a"));
  transport_.Answer(200, NodeAnswer("{}", "b"));
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->expected, 3);
  EXPECT_EQ(result_->answered, 2);
  ASSERT_EQ(result_->failed.size(), 1u);
  EXPECT_EQ(result_->failed[0].server_id, "c");
  EXPECT_EQ(result_->failed[0].message, "too many announcements wait");
}

TEST_F(PeersTest, OneMessageMayBeLargeButNotAnother) {
  PeersOptions options;
  options.max_message_bytes = 0;
  Peers& peers = Make(options);
  const ClusterSnapshot cluster = ClusterOf({NodeAt("a", "a.test")});
  Join(peers, cluster, result_);
  std::optional<AnnouncementResult> second;
  Join(peers, cluster, second);
  loop_.RunPosted();
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->failed.size(), 1u);
  transport_.Answer(200, NodeAnswer("{}", "a"));
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->answered, 1);
  Join(peers, cluster, second);
  loop_.RunPosted();
  EXPECT_EQ(transport_.requests.size(), 1u);
}

TEST_F(PeersTest, APauseBeforeARetryHoldsNobodyUp) {
  PeersOptions options;
  options.max_announcements = 1;
  Join(Make(options),
       ClusterOf({NodeAt("a", "10.0.0.1"), NodeAt("b", "10.0.0.2")}), result_);
  transport_.Answer(503, "");
  ASSERT_EQ(transport_.requests.size(), 1u);
  EXPECT_EQ(Sent(), "POST http://10.0.0.2/x/itResources");
}

TEST_F(PeersTest, ARefusedTokenIsReplacedOnce) {
  FakeTokens tokens;
  Join(Make({}, &tokens), ClusterOf({NodeAt("a", "10.0.0.1")}), result_);
  EXPECT_THAT(Tail(), HasSubstr("authorization: Bearer first\r\n"));
  transport_.Answer(403, "{}");
  ASSERT_EQ(transport_.requests.size(), 1u);
  EXPECT_THAT(Tail(), HasSubstr("authorization: Bearer second\r\n"));
  transport_.Answer(403, "{}");
  EXPECT_THAT(transport_.requests, IsEmpty());
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->failed[0].message, "answered 403");
  EXPECT_THAT(tokens.dropped, ElementsAre("first", "second"));
}

TEST_F(PeersTest, WithoutATokenNothingIsSent) {
  FakeTokens tokens;
  tokens.answer = absl::UnavailableError("the token service is down");
  Join(Make({}, &tokens), ClusterOf({NodeAt("a", "10.0.0.1")}), result_);
  EXPECT_THAT(transport_.requests, IsEmpty());
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->failed[0].message, "the token service is down");
}

TEST_F(PeersTest, WhatComesAfterTheEndDoesNothing) {
  Join(Make(), ClusterOf({NodeAt("a", "10.0.0.1")}), result_);
  peers_.reset();
  transport_.Answer(200, NodeAnswer("{}", "a"));
  EXPECT_FALSE(result_.has_value());
}

// In flight, behind it, in a pause, and yet to come.
TEST_F(PeersTest, StopEndsEveryAnnouncement) {
  Peers& peers = Make();
  const auto one = ClusterOf({NodeAt("a", "a.test")});
  std::optional<AnnouncementResult> in_flight;
  std::optional<AnnouncementResult> behind;
  std::optional<AnnouncementResult> pausing;
  std::optional<AnnouncementResult> late;
  Join(peers, one, in_flight);
  Leave(peers, one, behind);
  Join(peers, ClusterOf({NodeAt("b", "b.test")}), pausing);
  transport_.Answer(503, "", 1);
  peers.Stop();
  Join(peers, one, late);
  for (const auto* result : {&in_flight, &behind, &pausing, &late}) {
    ASSERT_TRUE(result->has_value());
    EXPECT_EQ((*result)->answered, 0);
    ASSERT_EQ((*result)->failed.size(), 1u);
    EXPECT_EQ((*result)->failed[0].message,
              "this clusterd is shutting down and no longer tells it");
  }
  // What comes late does nothing.
  transport_.Answer(200, NodeAnswer("{}", "a"));
  loop_.Advance(absl::Minutes(1));
  EXPECT_THAT(transport_.requests, IsEmpty());
}

}  // namespace
}  // namespace coord
