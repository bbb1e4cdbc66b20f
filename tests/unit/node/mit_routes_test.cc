#include "server/node/mit_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/url.h"
#include "server/registry/embedded_registry.h"
#include "server/registry/it_resource.h"
#include "server/registry/token_answer.h"
#include "tests/support/eviction_counts.h"
#include "tests/support/fake_transport.h"
#include "tests/support/log_capture.h"
#include "tests/support/manual_loop.h"

namespace coord {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace json = boost::json;

std::string Body(const std::string& id, const std::string& more = "") {
  return absl::StrCat(
      R"({"type":"echo","serverId":")", id, R"(","clusterBaseUrl":"http://)",
      id, R"(.test","publicBaseUrl":"http://public.test")", more, "}");
}

class MitRoutesTest : public testing::Test {
 protected:
  explicit MitRoutesTest(
      EmbeddedRegistryOptions options = {.lease = absl::Seconds(2)})
      : database_(*Database::Open({})),
        store_(*database_),
        membership_({.max_clusters = options.max_clusters}, "epoch") {
    registry_ = *EmbeddedRegistry::Create(
        *database_, loop_, options,
        [this](const ClusterIdentity& cluster, const Change& change) {
          membership_.Apply(cluster, change, loop_.WallTime());
        });
    peers_ = std::make_unique<Peers>(
        loop_, transport_, nullptr, [](const Server&) { return false; },
        PeersOptions{});
    registrar_ = std::make_unique<Registrar>(
        loop_, *registry_, store_, membership_, *peers_, doubt_, evictions_,
        RegistrarOptions{.max_registrations = options.max_servers});
    Serve(nullptr);
  }
  ~MitRoutesTest() override { registry_.reset(); }

  void Serve(const TokenIssuer* tokens) {
    routes_ = std::make_unique<MitRoutes>(loop_, *registry_, membership_,
                                          *registrar_, evictions_, tokens);
    router_ = Router();
    routes_->AddTo(router_);
  }

  // Until neither the loop nor the store's thread has anything left to do.
  void Settle() {
    do {
      ASSERT_TRUE(
          database_->Run([](sqlite3*) { return absl::OkStatus(); }).ok());
    } while (loop_.RunPosted() > 0);
  }

  HttpResponse Ask(const std::string& method, const std::string& path,
                   const std::string& body = "", HttpHeaders headers = {}) {
    HttpServerRequest request;
    request.method = method;
    request.path = path;
    request.headers = std::move(headers);
    request.body = body;
    std::optional<HttpResponse> response;
    router_.Handle(std::move(request),
                   [&](HttpResponse r) { response = std::move(r); });
    Settle();
    EXPECT_TRUE(response.has_value()) << method << " " << path;
    return std::move(response).value_or(HttpResponse());
  }
  HttpResponse Post(const std::string& body, HttpHeaders headers = {}) {
    return Ask("POST", "/mIT/v1/itResources", body, std::move(headers));
  }
  HttpResponse Delete(const std::string& target, HttpHeaders headers = {}) {
    return Ask(
        "DELETE",
        absl::StrCat("/mIT/v1/itResources/", ClusterId(), "/servers/", target),
        "", std::move(headers));
  }

  std::string ClusterId() {
    const auto cluster = membership_.Snapshot("echo", "");
    return cluster.ok() ? (*cluster)->identity.id : "none";
  }
  std::vector<std::string> Members() {
    std::vector<std::string> ids;
    const auto cluster = membership_.Snapshot("echo", "");
    if (!cluster.ok()) return ids;
    for (const ServerPtr& server : (*cluster)->servers) {
      ids.push_back(server->server_id);
    }
    return ids;
  }
  ServerPtr Member(const std::string& id) {
    return (*membership_.Snapshot("echo", ""))->Find(id);
  }

  // One that this process has registered itself.
  void Hold(const std::string& id) {
    const absl::Status status = TryToHold(id);
    ASSERT_TRUE(status.ok()) << status;
  }
  absl::Status TryToHold(const std::string& id) {
    RegisterCommand command;
    command.server.type = "echo";
    command.server.server_id = id;
    command.server.cluster_base_url = "http://" + id + ".test";
    command.server.public_base_url = "http://public.test";
    command.ttl = absl::Hours(24);
    absl::Status status = absl::UnknownError("no answer");
    registrar_->Register(std::move(command),
                         [&](const auto& view) { status = view.status(); });
    Settle();
    return status;
  }

  ManualLoop loop_;
  FakeTransport transport_{loop_};
  std::unique_ptr<Database> database_;
  RegistrationStore store_;
  Membership membership_;
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<Peers> peers_;
  SelfDoubt doubt_{loop_, membership_, nullptr};
  EvictionCounts evictions_;
  std::unique_ptr<Registrar> registrar_;
  std::unique_ptr<MitRoutes> routes_;
  Router router_;
};

TEST_F(MitRoutesTest, ARegistrationIsAnsweredWithTheListAndTheLease) {
  Post(Body("g1"));
  const HttpResponse response =
      Post(Body("g2", R"(,"location":[{"rack":7}],"later":{"n":1})"));
  EXPECT_EQ(response.status, 200);
  const json::object answer = json::parse(response.body).get_object();
  EXPECT_EQ(answer.at("leaseTime"), 2000);
  const json::object& resource = answer.at("itResource").get_object();
  EXPECT_EQ(resource.at("id").get_string(), ClusterId());
  EXPECT_EQ(resource.at("type"), "echo");
  EXPECT_EQ(resource.at("publicBaseUrl"), "http://public.test");
  const json::array& servers = resource.at("servers").get_array();
  ASSERT_EQ(servers.size(), 2u);
  const json::object& g2 = servers.at(1).get_object();
  EXPECT_EQ(g2.at("serverId"), "g2");
  EXPECT_EQ(g2.at("clusterBaseUrl"), "http://g2.test");
  EXPECT_EQ(g2.at("location"), json::parse(R"([{"rack":7}])"));
  EXPECT_EQ(g2.at("later"), json::parse(R"({"n":1})"));
  EXPECT_EQ(g2.at("createdAt"), g2.at("updatedAt"));
  EXPECT_THAT(std::string(g2.at("updatedAt").get_string()),
              testing::MatchesRegex("2023-11-14T22:13:20\\.00.Z"));
  EXPECT_FALSE(g2.contains("type"));
}

TEST_F(MitRoutesTest, WhoRegistersThisWayMayServeTheNodeApi) {
  Post(Body("g1"));
  EXPECT_EQ(Member("g1")->node_api, NodeApi::kUnknown);
}

TEST_F(MitRoutesTest, ARenewalThatChangesNothingLeavesTheRecordAsItIs) {
  const std::string first = Post(Body("g1")).body;
  loop_.Advance(absl::Seconds(2));
  EXPECT_EQ(Ask("POST", "/mIT/v1/itResources", Body("g1")).body, first);
}

TEST_F(MitRoutesTest, WhoDoesNotRenewIsGoneAfterTwoLeasesAndAMinute) {
  Post(Body("g1"));
  loop_.Advance(absl::Seconds(63));
  Settle();
  EXPECT_THAT(Members(), ElementsAre("g1"));
  loop_.Advance(absl::Seconds(2));
  Settle();
  EXPECT_THAT(Members(), testing::IsEmpty());
}

TEST_F(MitRoutesTest, ServersOfThisProcessAreOnTheList) {
  Hold("s1");
  EXPECT_THAT(Post(Body("g1")).body, HasSubstr(R"("serverId":"s1")"));
  EXPECT_THAT(Members(), ElementsAre("g1", "s1"));
}

TEST_F(MitRoutesTest, AnUnconditionalRemovalRemoves) {
  Post(Body("g1"));
  const HttpResponse response = Delete("g1");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, R"({"data":"g1"})");
  EXPECT_THAT(Members(), testing::IsEmpty());
}

TEST_F(MitRoutesTest, ARemovalByTheVersionSeenIsForThatRecordAlone) {
  Post(Body("g1"));
  const ServerPtr seen = Member("g1");
  loop_.Advance(absl::Seconds(1));
  Post(Body("g1", R"(,"location":"moved")"));
  const HttpResponse kept = Delete("g1@" + seen->version.text);
  EXPECT_EQ(kept.status, 200);
  EXPECT_EQ(kept.body,
            absl::StrCat(R"({"server":)", ServerJson(*Member("g1")), "}"));
  EXPECT_EQ(Delete("g1@" + Member("g1")->version.text).body,
            R"({"data":"g1"})");
  EXPECT_THAT(Members(), testing::IsEmpty());
}

TEST_F(MitRoutesTest, OnlyARemovalByAVersionIsAnEviction) {
  LogCapture log;
  Post(Body("g1"));
  const std::string left = ClusterId();
  Delete("g1");
  EXPECT_THAT(evictions_.causes, testing::IsEmpty());
  Post(Body("g1"));
  const std::string evicted = ClusterId();
  EXPECT_EQ(evicted, left);
  Delete("g1@" + Member("g1")->version.text,
         {{"x-correlation-id", "abc"}, {"user-agent", "mimik-echo/1/g2"}});
  EXPECT_THAT(evictions_.causes, ElementsAre(EvictionCause::kPeer));
  const std::string what = " over mIT's API server_id=g1 cluster_id=";
  EXPECT_THAT(log.Lines("unregistered"),
              ElementsAre("info: unregistered" + what + left));
  EXPECT_THAT(log.Lines("evicted"),
              ElementsAre("info: evicted" + what + evicted +
                          " correlation_id=abc user_agent=mimik-echo/1/g2"));
}

TEST_F(MitRoutesTest, TheVersionMayBeEscaped) {
  Post(Body("g1"));
  EXPECT_EQ(Delete("g1%40" + PercentEncode(Member("g1")->version.text)).body,
            R"({"data":"g1"})");
}

TEST_F(MitRoutesTest, AVersionThatIsNoDateIsOlderThanAnyRecord) {
  Post(Body("g1"));
  EXPECT_THAT(Delete("g1@undefined").body, HasSubstr(R"({"server":{)"));
  EXPECT_THAT(Members(), ElementsAre("g1"));
}

TEST_F(MitRoutesTest, WhatIsNotThereIs404) {
  EXPECT_EQ(Delete("g1").status, 404);
  Post(Body("g1"));
  const HttpResponse response = Delete("g2@2026-11-24T02:18:03.899Z");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.body, R"({"statusCode":404,"title":"Not Found",)"
                           R"("message":"there is no such server"})");
}

TEST_F(MitRoutesTest, AServerOfThisProcessThatIsRemovedAndLivesComesBack) {
  Hold("s1");
  EXPECT_EQ(Delete("s1@" + Member("s1")->version.text).status, 200);
  EXPECT_THAT(Members(), testing::IsEmpty());
  loop_.Advance(absl::ZeroDuration());
  ASSERT_EQ(transport_.requests.size(), 1u);
  EXPECT_EQ(transport_.requests[0].ToString(), "GET http://s1.test/");
  transport_.Answer(200, "{}");
  Settle();
  EXPECT_THAT(Members(), ElementsAre("s1"));
}

TEST_F(MitRoutesTest, AMalformedRegistrationIs400) {
  for (const std::string& body :
       {std::string(), std::string("{"), std::string("[]"), Body("a b"),
        std::string(R"({"type":"echo","serverId":"x"})"),
        Body("x", R"(,"clusterBaseUrl":"nowhere")")}) {
    const HttpResponse response = Post(body);
    EXPECT_EQ(response.status, 400) << body;
    EXPECT_THAT(response.body, HasSubstr(R"("statusCode":400)"));
  }
}

TEST_F(MitRoutesTest, TheCorrelationIdComesBackRaised) {
  EXPECT_EQ(
      FindHeader(Post(Body("g1"), {{"x-correlation-id", "abc@4/D"}}).headers,
                 "x-correlation-id"),
      "abc@5/D");
  EXPECT_EQ(FindHeader(Delete("g9", {{"x-correlation-id", "abc@4/D"}}).headers,
                       "x-correlation-id"),
            "abc@5/D");
}

TEST_F(MitRoutesTest, WithoutTokensThereIsNoTokenService) {
  EXPECT_EQ(Ask("POST", "/mST/v1/oauth/token", "{}").status, 404);
}

class MitRoutesLimitTest : public MitRoutesTest {
 protected:
  MitRoutesLimitTest() : MitRoutesTest({.max_servers = 2, .max_clusters = 1}) {}
};

TEST_F(MitRoutesLimitTest, ServersBeyondTheLimitAre429HoweverTheyCome) {
  EXPECT_EQ(Post(Body("g1")).status, 200);
  Hold("s1");

  const HttpResponse refused = Post(Body("g2"));
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(
      refused.body,
      R"({"statusCode":429,"title":"Too Many Requests","message":)"
      R"("register echo/g2: 2 servers are registered, which is the limit )"
      R"x((--max-registrations)"})x");
  const absl::Status held = TryToHold("s2");
  EXPECT_TRUE(HasReason(held, Reason::kTooManyRegistrations)) << held;
  EXPECT_EQ(held.message(),
            "register echo/s2: 2 servers are held, which is the limit "
            "(--max-registrations)");

  EXPECT_EQ(Post(Body("g1")).status, 200);
  EXPECT_EQ(Delete("g1").status, 200);
  EXPECT_EQ(Post(Body("g2")).status, 200);
  EXPECT_THAT(Members(), ElementsAre("g2", "s1"));
}

TEST_F(MitRoutesLimitTest, ClustersBeyondTheLimitAre429) {
  Post(Body("g1"));
  const HttpResponse refused =
      Post(R"({"type":"other","serverId":"o","clusterBaseUrl":"http://o.test",)"
           R"("publicBaseUrl":"http://public.test"})");
  EXPECT_EQ(refused.status, 429);
  EXPECT_THAT(refused.body,
              HasSubstr("create cluster of type other: 1 clusters are in use, "
                        "which is the limit (--max-clusters)"));
}

class MitRoutesTokenTest : public MitRoutesTest {
 protected:
  MitRoutesTokenTest() {
    Credentials clients;
    for (const std::string type : {"echo", "other"}) {
      TypeCredentials account;
      account.client_id = type;
      account.client_secret = "secret of " + type;
      account.generic_audience = type + "-audience";
      account.generic_key = "key";
      clients.Set(type, account);
    }
    issuer_ = *TokenIssuer::Create({"mST", "mIT", clients},
                                   [this] { return loop_.WallTime(); });
    Serve(issuer_.get());
  }

  HttpResponse AskForToken(const std::string& type, const std::string& secret,
                           const std::string& audience) {
    return Ask("POST", "/mST/v1/oauth/token",
               absl::StrCat(R"({"grant_type":"client_credentials",)"
                            R"("client_id":")",
                            type, R"(","client_secret":")", secret,
                            R"(","audience":")", audience, "\"}"));
  }
  HttpHeaders TokenOf(const std::string& type) {
    const auto answer =
        ParseTokenAnswer(AskForToken(type, "secret of " + type, "mIT").body);
    EXPECT_TRUE(answer.has_value());
    return {{"authorization", "Bearer " + answer->access.text}};
  }

  std::unique_ptr<TokenIssuer> issuer_;
};

TEST_F(MitRoutesTokenTest, ATokenForMitOpensItsRoutes) {
  EXPECT_EQ(Post(Body("g1"), TokenOf("echo")).status, 200);
  EXPECT_EQ(Delete("g1", TokenOf("echo")).status, 200);
}

TEST_F(MitRoutesTokenTest, WithoutOneItIs403) {
  Post(Body("g1"), TokenOf("echo"));
  EXPECT_EQ(Post(Body("g2")).status, 403);
  const HttpResponse response = Delete("g1");
  EXPECT_EQ(response.status, 403);
  EXPECT_THAT(response.body, HasSubstr("invalid token: there is none"));
  EXPECT_THAT(Members(), ElementsAre("g1"));
}

TEST_F(MitRoutesTokenTest, AnotherTypesTokenIs403) {
  Post(Body("g1"), TokenOf("echo"));
  EXPECT_EQ(Post(Body("g2"), TokenOf("other")).status, 403);
  const HttpResponse response = Delete("g1", TokenOf("other"));
  EXPECT_EQ(response.status, 403);
  EXPECT_THAT(response.body,
              HasSubstr("invalid token: it is of other, not of echo"));
  EXPECT_THAT(Members(), ElementsAre("g1"));
}

TEST_F(MitRoutesTokenTest, TokenErrorsHaveTheirStatus) {
  EXPECT_EQ(AskForToken("echo", "wrong", "mIT").status, 401);
  EXPECT_EQ(AskForToken("echo", "secret of echo", "nobody").status, 400);
}

}  // namespace
}  // namespace coord
