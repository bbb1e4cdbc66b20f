// Servers by name: which addresses are tried, and what a failure says of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/deaf_address.h"
#include "tests/support/dns_server.h"
#include "tests/unit/http/client_fixture.h"

namespace coord {
namespace {

class HttpClientNameTest : public HttpClientTest {
 protected:
  HttpClientNameTest() {
    resources_ = std::make_unique<TestResources>(NameResolverOptions{
        .servers = dns_.address(), .cache = {.min_ttl = absl::ZeroDuration()}});
  }

  static HttpRequest GetByName(const std::string& name,
                               const RawServer& server) {
    HttpRequest request = Get(server);
    request.origin.host = name;
    return request;
  }

  DnsServer dns_;
};

TEST_F(HttpClientNameTest, ManySilentNamesHoldUpNoOther) {
  const auto server = RawServer::Always(RawAnswer(200, "{}"));
  dns_.Silence("slow.test");
  dns_.Set("ok.test", {.addresses = {"127.0.0.1"}});
  std::vector<Outcome> silent(200);
  for (std::size_t i = 0; i < silent.size(); ++i) {
    Send(GetByName(absl::StrCat("n", i, ".slow.test"), *server), silent[i]);
  }
  dns_.WaitForAsked("n199.slow.test", 1);
  EXPECT_EQ(Answer(GetByName("ok.test", *server)).status, 200);
  for (Outcome& each : silent) EXPECT_FALSE(each.ready());
}

TEST_F(HttpClientNameTest, ANameThatIsNotAnsweredSaysNothingOfTheServer) {
  const auto server = RawServer::Always(RawAnswer(200, "{}"));
  dns_.Silence("slow.test");
  HttpRequest request = GetByName("slow.test", *server);
  request.timeout = absl::Milliseconds(20);
  const HttpError error = Error(std::move(request));
  EXPECT_EQ(error.kind, HttpError::Kind::kUnresolved);
  EXPECT_TRUE(error.says_nothing());
  EXPECT_FALSE(error.sent);
  EXPECT_EQ(error.message,
            "resolve slow.test: no answer from the DNS within 20ms");
}

TEST_F(HttpClientNameTest, ANameThatDoesNotExistSaysNothingOfTheServer) {
  const auto server = RawServer::Always(RawAnswer(200, "{}"));
  const HttpError error = Error(GetByName("nobody.test", *server));
  EXPECT_EQ(error.kind, HttpError::Kind::kUnresolved);
  EXPECT_FALSE(error.sent);
  EXPECT_EQ(error.message, "resolve nobody.test: no such name");
}

TEST_F(HttpClientNameTest, OfARequestThatWaitsForANameThatIsTold) {
  const auto server = RawServer::Always(RawAnswer(200, "{}"));
  dns_.Silence("slow.test");
  Outcome outcome;
  const RequestId id = Send(GetByName("slow.test", *server), outcome);
  const auto held_up =
      OnLoop(loop_, [&] { return client().HeldUpBy(id, "within 1s"); });
  ASSERT_TRUE(held_up);
  EXPECT_EQ(held_up->kind, HttpError::Kind::kUnresolved);
  EXPECT_EQ(held_up->message,
            "resolve slow.test: no answer from the DNS within 1s");
}

TEST_F(HttpClientNameTest, AnAddressThatSwallowsPacketsIsPassedOver) {
  const auto server = RawServer::Always(RawAnswer(200, "{}"));
  // Whichever of the two DNS answers the client puts first.
  const DeafAddress deaf("127.0.0.2", server->port());
  dns_.Set("two.test", {.addresses = {"127.0.0.2", "127.0.0.1"}});
  dns_.Set("deaf.test", {.addresses = {"127.0.0.2"}});
  EXPECT_EQ(Answer(GetByName("two.test", *server)).status, 200);
  HttpRequest request = GetByName("deaf.test", *server);
  request.connect_timeout = absl::Milliseconds(20);
  const HttpError error = Error(std::move(request));
  EXPECT_EQ(error.kind, HttpError::Kind::kUnreachable);
  EXPECT_EQ(error.message,
            absl::StrCat("connect deaf.test:", server->port(),
                         ": no connection within 20ms: no answer (127.0.0.2)"));
}

TEST_F(HttpClientNameTest, AnAddressThatRefusesIsPassedOver) {
  const auto server = RawServer::Always(RawAnswer(200, "{}"));
  dns_.Set("two.test",
           {.addresses = {"::1", "127.0.0.2", "127.0.0.3", "127.0.0.1"}});
  EXPECT_EQ(Answer(GetByName("two.test", *server)).status, 200);
  EXPECT_EQ(Stats().connections, 1u);
}

TEST_F(HttpClientNameTest, EachAddressThatWasTriedIsTold) {
  const auto server = RawServer::Always(RawAnswer(200, "{}"));
  dns_.Set("a.test", {.addresses = {"127.0.0.2", "127.0.0.2", "127.0.0.3",
                                    "127.0.0.4", "127.0.0.5"}});
  const HttpError error = Error(GetByName("a.test", *server));
  EXPECT_EQ(error.kind, HttpError::Kind::kUnreachable);
  EXPECT_TRUE(error.refused);
  EXPECT_THAT(
      error.message,
      testing::MatchesRegex(absl::StrCat(
          "connect a.test:", server->port(),
          ": (connection refused \\(127.0.0..\\)(, |)){3} and 1 more")));
}

TEST_F(HttpClientNameTest, AConnectionInItsTimeIsUsedAgain) {
  const auto server = RawServer::Always(RawAnswer(200, "{}"));
  dns_.Set("a.test", {.addresses = {"127.0.0.1"}});
  Answer(GetByName("a.test", *server));
  Answer(GetByName("a.test", *server));
  EXPECT_EQ(server->connections(), 1);
}

TEST_F(HttpClientNameTest, ANameThatHasMovedIsFollowedOnceItsConnectionIsOld) {
  options_.max_connection_age = absl::ZeroDuration();
  const auto server = RawServer::Always(RawAnswer(200, "before"));
  dns_.Set("a.test", {.addresses = {"127.0.0.1"}, .ttl = 0});
  EXPECT_EQ(Answer(GetByName("a.test", *server)).body, "before");
  EXPECT_EQ(Stats().idle, 0u);
  const RawServer moved("127.0.0.2", server->port(), [](RawPeer& peer, int) {
    while (!peer.ReadRequest().empty()) peer.Write(RawAnswer(200, "after"));
  });
  dns_.Set("a.test", {.addresses = {"127.0.0.2"}, .ttl = 0});
  EXPECT_EQ(Answer(GetByName("a.test", *server)).body, "after");
}

TEST_F(HttpClientNameTest, AnOlderAnswerServesWhileTheDnsIsSilent) {
  options_.max_connection_age = absl::ZeroDuration();
  const auto server = RawServer::Always(RawAnswer(200, "{}"));
  dns_.Set("a.test", {.addresses = {"127.0.0.1"}, .ttl = 0});
  Answer(GetByName("a.test", *server));
  dns_.Silence("a.test");
  EXPECT_EQ(Answer(GetByName("a.test", *server)).status, 200);
}

TEST_F(HttpClientNameTest, AnOlderAnswerThatLeadsNowhereIsNoProof) {
  options_.max_connection_age = absl::ZeroDuration();
  auto server = RawServer::Always(RawAnswer(200, "{}"));
  dns_.Set("a.test", {.addresses = {"127.0.0.1"}, .ttl = 0});
  Answer(GetByName("a.test", *server));
  HttpRequest again = GetByName("a.test", *server);
  const int port = again.origin.port;
  server.reset();
  dns_.Set("a.test", {.rcode = 2});
  const HttpError error = Error(std::move(again));
  EXPECT_EQ(error.kind, HttpError::Kind::kUnresolved);
  EXPECT_FALSE(error.refused);
  EXPECT_EQ(error.message,
            absl::StrCat("connect a.test:", port,
                         ": connection refused (127.0.0.1), by an older answer "
                         "of the DNS: no good answer from the DNS"));
}

// The lookup is asked again after a second, and then told of the new address.
TEST_F(HttpClientNameTest, ANewAnswerIsTriedWhereTheOlderLeadsNowhere) {
  options_.max_connection_age = absl::ZeroDuration();
  auto former = RawServer::Always(RawAnswer(200, "{}"));
  dns_.Set("a.test", {.addresses = {"127.0.0.1"}, .ttl = 0});
  Answer(GetByName("a.test", *former));
  HttpRequest again = GetByName("a.test", *former);
  former.reset();
  const RawServer moved("127.0.0.2", again.origin.port, [](RawPeer& peer, int) {
    peer.ReadRequest();
    peer.Write(RawAnswer(200, "after"));
  });
  dns_.Silence("a.test");
  Outcome outcome;
  Send(std::move(again), outcome);
  dns_.WaitForAsked("a.test", 2);
  dns_.Set("a.test", {.addresses = {"127.0.0.2"}});
  dns_.Silence("a.test", false);
  EXPECT_EQ(AnswerOf(outcome.Take()).body, "after");
}

class HttpClientSocketsTest : public HttpClientTest {
 protected:
  HttpClientSocketsTest() {
    resources_ = std::make_unique<TestResources>(NameResolverOptions(), 1);
  }
};

TEST_F(HttpClientSocketsTest, WhatFindsNoSocketWaitsForOneInOrder) {
  const auto one = RawServer::Always(RawAnswer(200, "1"));
  const auto two = RawServer::Always(RawAnswer(200, "2"));
  const auto three = RawServer::Always(RawAnswer(200, "3"));
  std::vector<std::string> seen;
  Outcome last;
  OnLoop(loop_, [&] {
    const auto note = [&](HttpOutcome o) {
      seen.push_back(AnswerOf(std::move(o)).body);
    };
    client().Send(Get(*one), note);
    client().Send(Get(*two), note);
    client().Send(Get(*three), [&](HttpOutcome o) { last.Set(std::move(o)); });
  });
  EXPECT_EQ(AnswerOf(last.Take()).body, "3");
  EXPECT_EQ(seen, (std::vector<std::string>{"1", "2"}));
}

TEST_F(HttpClientSocketsTest, WhatRestsMakesRoom) {
  const auto one = RawServer::Always(RawAnswer(200, "1"));
  const auto two = RawServer::Always(RawAnswer(200, "2"));
  EXPECT_EQ(Answer(Get(*one)).body, "1");
  EXPECT_EQ(Stats().idle, 1u);
  EXPECT_EQ(Answer(Get(*two)).body, "2");
  EXPECT_EQ(Stats().connections, 1u);
}

TEST_F(HttpClientSocketsTest, OneThatWaitedInVainSaysNothingOfTheServer) {
  auto silent = std::make_unique<RawServer>(
      [](RawPeer& peer, int) { peer.WaitForClose(); });
  const auto server = RawServer::Always(RawAnswer(200, "{}"));
  Outcome first;
  Send(Get(*silent), first);
  HttpRequest request = Get(*server);
  request.timeout = absl::Milliseconds(20);
  const HttpError error = Error(std::move(request));
  EXPECT_EQ(error.kind, HttpError::Kind::kOverloaded);
  EXPECT_FALSE(error.sent);
  EXPECT_EQ(
      error.message,
      absl::StrCat("connect 127.0.0.1:", server->port(),
                   ": this process had no socket left for it within 20ms"));
  silent.reset();
  first.Take();
}

}  // namespace
}  // namespace coord
