// Servers that are registered by name: what the DNS does is not their fault.
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/cluster_fixture.h"
#include "tests/support/deaf_address.h"
#include "tests/support/dns_server.h"
#include "tests/support/raw_server.h"

namespace coord {
namespace {

constexpr int kSilent = 200;

Config ConfigWith(const DnsServer& dns) {
  Config config = TestConfig();
  config.names.servers = dns.address();
  config.names.cache.min_ttl = absl::ZeroDuration();
  config.registrar.probe_interval = absl::Milliseconds(100);
  config.fanout.request_timeout = absl::Milliseconds(500);
  config.peers.request_timeout = absl::Milliseconds(500);
  config.http_client.max_connection_age = absl::Milliseconds(1);
  return config;
}

// The server of the DNS is there before clusterd, which asks it.
struct WithDns {
  DnsServer dns_;
};

class NamesTest : public WithDns, public ClusterTest {
 protected:
  NamesTest() : ClusterTest(ConfigWith(dns_)) {}

  static pb::RegisterServerRequest At(const std::string& server_id,
                                      const std::string& host,
                                      std::uint16_t port) {
    return Registration(server_id, absl::StrCat("http://", host, ":", port),
                        false);
  }
  // A service which clusterd probes, and which answers.
  void RegisterProbed(const std::string& server_id, const std::string& host,
                      std::uint16_t port) {
    pb::RegisterServerRequest request = At(server_id, host, port);
    request.clear_ttl();
    Registered(request);
  }
  // One which clusterd probes, and which does not answer yet.
  void RegisterAwaited(const std::string& server_id, const std::string& host) {
    pb::RegisterServerRequest request = At(server_id, host, 80);
    request.clear_ttl();
    request.set_wait(false);
    Registered(request);
  }
  void Registered(const pb::RegisterServerRequest& request) {
    const auto registration = Register(request);
    ASSERT_TRUE(registration.ok()) << registration.status();
  }

  // `{"data":"<text>"}` to each request, at an address of this machine.
  static RawServer::Script Always(const std::string& text) {
    return [answer = RawAnswer(200, absl::StrCat("{\"data\":\"", text, "\"}"))](
               RawPeer& peer, int) {
      while (!peer.ReadRequest().empty()) peer.Write(answer);
    };
  }

  // Of all members, ACTIVE ones.
  int Active() {
    pb::ListServersRequest request;
    request.set_type("mTest");
    request.set_page_size(1000);
    pb::ListServersResponse response;
    EXPECT_TRUE(
        Do(&pb::RegistryService::Stub::ListServers, request, &response).ok());
    int active = 0;
    for (const auto& server : response.servers()) {
      active += server.state() == pb::SERVER_STATE_ACTIVE ? 1 : 0;
    }
    return active;
  }
};

TEST_F(NamesTest, ASilentZoneIsNobodysDeath) {
  dns_.Silence("slow.test");
  dns_.Set("ok.test", {.addresses = {"127.0.0.1"}});
  const auto node = StartNode("ok");
  for (int i = 0; i < kSilent; ++i) {
    const std::string host = absl::StrCat("n", i, ".slow.test");
    Registered(At(absl::StrCat("s", i), host, 80));
    RegisterAwaited(absl::StrCat("awaited", i), host);
  }
  RegisterProbed("ok", "ok.test", node->port());
  const auto response = FanOut(GetCall("/info"));
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_EQ(response->results_size(), 1);
  EXPECT_EQ(response->results(0).server_id(), "ok");
  ASSERT_EQ(response->failures_size(), kSilent);
  for (const auto& failure : response->failures()) {
    EXPECT_EQ(failure.reason(), pb::FAILURE_REASON_UNREACHABLE);
    EXPECT_EQ(failure.certainty(), pb::CERTAINTY_NOT_SENT);
    EXPECT_THAT(failure.message(),
                testing::MatchesRegex("call s.*: resolve n.*slow.test: no "
                                      "answer from the DNS within 500ms"));
  }
  // In the time of so many probes the others had theirs, too, in vain.
  node->WaitForCalls(node->calls() + 30);
  EXPECT_EQ(Active(), kSilent + 1);
}

TEST_F(NamesTest, ANameThatDoesNotExistIsNobodysDeath) {
  dns_.Set("ok.test", {.addresses = {"127.0.0.1"}});
  const auto node = StartNode("ok");
  Registered(At("lost", "nobody.test", 80));
  RegisterAwaited("awaited", "nobody.test");
  RegisterProbed("ok", "ok.test", node->port());
  const auto response = FanOut(GetCall("/info"));
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_EQ(response->failures_size(), 1);
  EXPECT_EQ(response->failures(0).reason(), pb::FAILURE_REASON_UNREACHABLE);
  EXPECT_EQ(response->failures(0).message(),
            "call lost: resolve nobody.test: no such name");
  node->WaitForCalls(node->calls() + 10);
  EXPECT_EQ(Active(), 2);
}

TEST_F(NamesTest, AnAddressThatSwallowsPacketsIsPassedOver) {
  const RawServer server(Always("here"));
  const DeafAddress deaf("127.0.0.2", server.port());
  dns_.Set("two.test", {.addresses = {"127.0.0.2", "127.0.0.1"}});
  RegisterProbed("two", "two.test", server.port());
  for (int i = 0; i < 5; ++i) {
    const auto response = FanOut(GetCall("/info"));
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->data_json(), R"(["here"])");
  }
  EXPECT_EQ(Active(), 1);
}

TEST_F(NamesTest, ANameThatMovesIsFollowedUnderSteadyCalls) {
  const RawServer before(Always("before"));
  dns_.Set("a.test", {.addresses = {"127.0.0.1"}, .ttl = 0});
  RegisterProbed("a", "a.test", before.port());
  EXPECT_EQ(FanOut(GetCall("/info"))->data_json(), R"(["before"])");
  const RawServer after("127.0.0.2", before.port(), Always("after"));
  dns_.Set("a.test", {.addresses = {"127.0.0.2"}, .ttl = 0});
  std::string data;
  while (data != R"(["after"])") {
    const auto response = FanOut(GetCall("/info"));
    ASSERT_TRUE(response.ok()) << response.status();
    ASSERT_EQ(response->verdict(), pb::VERDICT_COMPLETE);
    data = response->data_json();
  }
}

TEST_F(NamesTest, AnOlderAnswerServesWhileTheDnsFails) {
  const auto node = StartNode("a");
  dns_.Set("a.test", {.addresses = {"127.0.0.1"}, .ttl = 0});
  RegisterProbed("a", "a.test", node->port());
  EXPECT_EQ(FanOut(GetCall("/info"))->results_size(), 1);
  dns_.Set("a.test", {.rcode = 2});
  for (int i = 0; i < 10; ++i) {
    const auto response = FanOut(GetCall("/info"));
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->verdict(), pb::VERDICT_COMPLETE);
  }
  node->WaitForCalls(node->calls() + 10);
  EXPECT_EQ(Active(), 1);
}

}  // namespace
}  // namespace coord
