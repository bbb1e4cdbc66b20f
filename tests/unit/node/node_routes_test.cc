#include "server/node/node_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/error.h"
#include "tests/unit/node/fake_verifier.h"
#include "tests/unit/node/node_fixture.h"

namespace coord {
namespace {

using ::testing::HasSubstr;

class NodeRoutesTest : public NodeFixture {
 protected:
  NodeRoutesTest() {
    AddStranger("peer");
    Registered(Command("a"));
    while (Requests() > 0) AnswerAlive();
  }

  NodeRoutes& Routes(const NodeTokenVerifier* verifier = nullptr) {
    routes_ = std::make_unique<NodeRoutes>(loop_, *membership_, *registrar_,
                                           follow_peers_, verifier);
    return *routes_;
  }
  HttpResponse Join(const std::string& body,
                    NodeRequest request = {"mTest", "a", "", ""},
                    const NodeTokenVerifier* verifier = nullptr) {
    std::optional<HttpResponse> response;
    Routes(verifier).Join(std::move(request), body,
                          [&](HttpResponse r) { response = std::move(r); });
    Settle();
    return std::move(response).value_or(HttpResponse());
  }
  HttpResponse Leave(const std::string& cluster_id, const std::string& id) {
    std::optional<HttpResponse> response;
    Routes().Leave({"mTest", "a", "", ""}, cluster_id, id,
                   [&](HttpResponse r) { response = std::move(r); });
    Settle();
    return std::move(response).value_or(HttpResponse());
  }
  static std::string JoinBody(const std::string& cluster_id) {
    return R"({"id":")" + cluster_id + R"(","type":"mTest","servers":[)" +
           R"({"serverId":"new","clusterBaseUrl":"http://new.test"}]})";
  }
  bool follow_peers_ = true;
  std::unique_ptr<NodeRoutes> routes_;
};

TEST_F(NodeRoutesTest, AJoinIsMergedAndAnsweredWithOurList) {
  const HttpResponse response = Join(JoinBody("c-mTest"));
  EXPECT_EQ(response.status, 200);
  ASSERT_NE(Member("new"), nullptr);
  EXPECT_EQ(Member("new")->node_api, NodeApi::kUnknown);
  auto cluster = membership_->Snapshot("mTest", "");
  EXPECT_EQ(response.body, NodeAnswer(ItResourceJson(**cluster), "a"));
}

TEST_F(NodeRoutesTest, AnotherClustersJoinChangesNothingAndRefreshes) {
  const int before = registry_.register_calls;
  EXPECT_EQ(Join(JoinBody("c-other")).status, 200);
  EXPECT_EQ(Member("new"), nullptr);
  EXPECT_EQ(registry_.register_calls, before + 1);
}

TEST_F(NodeRoutesTest, AMalformedBodyIs400) {
  const HttpResponse response = Join("{");
  EXPECT_EQ(response.status, 400);
  EXPECT_THAT(response.body, HasSubstr("\"statusCode\":400"));
  EXPECT_THAT(response.body, HasSubstr("is not JSON"));
}

TEST_F(NodeRoutesTest, AServerThatIsNotRegisteredHereIs404) {
  EXPECT_EQ(Join(JoinBody("c-mTest"), {"mTest", "b", "", ""}).status, 404);
}

TEST_F(NodeRoutesTest, OneThatIsNotRegisteredYetHasNoList) {
  registry_.automatic = false;
  Registered(Command("b"));
  EXPECT_EQ(Join(JoinBody("c-mTest"), {"mTest", "b", "", ""}).body,
            NodeAnswer("null", "b"));
}

TEST_F(NodeRoutesTest, TheCorrelationIdComesBackRaised) {
  const HttpResponse response =
      Join(JoinBody("c-mTest"), {"mTest", "a", "", "abc@4/D"});
  EXPECT_EQ(FindHeader(response.headers, "x-correlation-id"), "abc@5/D");
}

TEST_F(NodeRoutesTest, ALeaveRemovesAndAsksTheAuthority) {
  registry_.records["c-mTest"].erase("peer");
  const int before = registry_.register_calls;
  const HttpResponse response = Leave("c-mTest", "peer");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, NodeAnswer("\"peer\"", "a"));
  EXPECT_EQ(Member("peer"), nullptr);
  EXPECT_EQ(registry_.register_calls, before + 1);
}

TEST_F(NodeRoutesTest, ALeaveOfAnotherClusterHasNoData) {
  EXPECT_EQ(Leave("c-other", "peer").body, NodeAnswer("null", "a"));
  EXPECT_NE(Member("peer"), nullptr);
}

TEST_F(NodeRoutesTest, AProbeIsHarmless) {
  const int before = registry_.register_calls;
  EXPECT_EQ(Leave("-", "-").body, NodeAnswer("null", "a"));
  EXPECT_EQ(registry_.register_calls, before);
}

TEST_F(NodeRoutesTest, ALeaveOfOneHeldHereIsContested) {
  EXPECT_EQ(Leave("c-mTest", "a").status, 200);
  EXPECT_NE(Member("a"), nullptr);
  Advance(absl::ZeroDuration());
  ASSERT_EQ(Requests(), 1u);
  EXPECT_EQ(Sent(), "GET http://a.test/x");
  AnswerDead();
  EXPECT_EQ(Get("a")->message,
            "left, as another server says, and the service does not answer: "
            "made to fail");
}

TEST_F(NodeRoutesTest, AnAuthorityThatPushesIsNotCorrectedByPeers) {
  follow_peers_ = false;
  registry_.pushes_changes = true;
  const auto before = membership_->Snapshot("mTest", "");
  EXPECT_EQ(Join(JoinBody("c-mTest")).body,
            NodeAnswer(ItResourceJson(**before), "a"));
  EXPECT_EQ(Leave("c-mTest", "peer").body, NodeAnswer("\"peer\"", "a"));
  EXPECT_EQ(*membership_->Snapshot("mTest", ""), *before);
}

TEST_F(NodeRoutesTest, ALeaveOfOneHeldHereIsContestedWhoeverTheAuthorityIs) {
  follow_peers_ = false;
  Leave("c-mTest", "a");
  Advance(absl::ZeroDuration());
  ASSERT_EQ(Requests(), 1u);
  EXPECT_EQ(Sent(), "GET http://a.test/x");
}

TEST_F(NodeRoutesTest, TokensAreJudged) {
  const FakeVerifier verifier;
  const std::string body = JoinBody("c-mTest");
  EXPECT_EQ(Join(body, {"mTest", "a", "good", ""}, &verifier).status, 200);
  EXPECT_EQ(Join(body, {"mTest", "a", "wrong kind", ""}, &verifier).status,
            400);
  const HttpResponse bad = Join(body, {"mTest", "a", "", ""}, &verifier);
  EXPECT_EQ(bad.status, 403);
  EXPECT_THAT(bad.body, HasSubstr("bad token"));
}

TEST_F(NodeRoutesTest, ServesBothBelowTypeAndId) {
  Router router;
  Routes().AddTo(router);
  std::optional<HttpResponse> response;
  router.Handle({.method = "DELETE",
                 .path = "/mTest/a/itResources/c-mTest/servers/peer",
                 .headers = {{"X-Correlation-Id", "abc@1/D"}}},
                [&](HttpResponse r) { response = std::move(r); });
  Settle();
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->body, NodeAnswer("\"peer\"", "a"));
  EXPECT_EQ(FindHeader(response->headers, "x-correlation-id"), "abc@2/D");

  response.reset();
  router.Handle({.method = "POST",
                 .path = "/mTest/a/itResources",
                 .headers = {{"X-Correlation-Id", "abc@1/D"}},
                 .body = JoinBody("c-mTest")},
                [&](HttpResponse r) { response = std::move(r); });
  Settle();
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->status, 200);
}

}  // namespace
}  // namespace coord
