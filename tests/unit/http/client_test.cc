// One request of the client: how it is sent, and how it can end.
#include "server/http/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "tests/unit/http/client_fixture.h"

namespace coord {
namespace {

using ::testing::StartsWith;

TEST_F(HttpClientTest, SendsOneRequestAndReadsItsAnswer) {
  Promised<std::string> seen;
  RawServer server([&](RawPeer& peer, int) {
    seen.Set(peer.ReadRequest());
    peer.Write(RawAnswer(201, "{\"data\":1}", "X-A: b\r\n"));
    peer.WaitForClose();
  });
  HttpRequest request = Get(server, "/a?b=c");
  request.method = "POST";
  request.tail = SerializeTail("POST", {{"x-q", "1"}}, "body");
  const HttpResponse response = Answer(std::move(request));
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(response.body, "{\"data\":1}");
  EXPECT_EQ(FindHeader(response.headers, "x-a"), "b");
  EXPECT_EQ(
      seen.Take(),
      absl::StrCat("POST /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:", server.port(),
                   "\r\nx-q: 1\r\nContent-Length: 4\r\n\r\nbody"));
}

TEST_F(HttpClientTest, WhatATargetCannotHoldIsEscaped) {
  Promised<std::string> seen;
  RawServer server([&](RawPeer& peer, int) {
    seen.Set(peer.ReadRequest());
    peer.Write(RawAnswer(200, ""));
  });
  EXPECT_EQ(Answer(Get(server, R"(/<a>?q={"a":[1]}%20\ |^`#ü)")).status, 200);
  EXPECT_THAT(seen.Take(),
              StartsWith("GET /%3Ca%3E?q={%22a%22:[1]}%20\\%20|^`%23%C3%BC "
                         "HTTP/1.1\r\n"));
}

TEST_F(HttpClientTest, RequestWithoutTailIsComplete) {
  Promised<std::string> seen;
  RawServer server([&](RawPeer& peer, int) {
    seen.Set(peer.ReadRequest());
    peer.Write(RawAnswer(200, ""));
  });
  EXPECT_EQ(Answer(Get(server)).status, 200);
  EXPECT_THAT(seen.Take(), StartsWith("GET / HTTP/1.1\r\nHost: 127.0.0.1:"));
}

TEST_F(HttpClientTest, CallbackNeverRunsInsideSend) {
  const auto server = RawServer::Always(RawAnswer(200, "{}"));
  Outcome outcome;
  OnLoop(loop_, [&] {
    client().Send(Get(*server),
                  [&](HttpOutcome o) { outcome.Set(std::move(o)); });
    EXPECT_FALSE(outcome.ready());
  });
  AnswerOf(outcome.Take());
}

TEST_F(HttpClientTest, ConnectsByName) {
  const auto server = RawServer::Always(RawAnswer(200, "{}"));
  HttpRequest request = Get(*server);
  request.origin.host = "localhost";
  EXPECT_EQ(Answer(std::move(request)).status, 200);
}

TEST_F(HttpClientTest, LargeBodiesPassBothWays) {
  const std::string up(5 << 20, 'u');
  const std::string down(2 << 20, 'd');
  Promised<std::size_t> received;
  RawServer server([&](RawPeer& peer, int) {
    received.Set(peer.ReadRequest().size());
    peer.Write(RawAnswer(200, down));
    peer.ReadRequest();
    peer.Write(RawAnswer(200, "small"));
    peer.WaitForClose();
  });
  HttpRequest request = Get(server);
  request.method = "POST";
  request.tail = SerializeTail("POST", {}, up);
  EXPECT_EQ(Answer(std::move(request)).body, down);
  EXPECT_GT(received.Take(), up.size());
  EXPECT_EQ(Answer(Get(server)).body, "small");
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(HttpClientTest, AnswerBeforeTheRequestIsThroughCounts) {
  RawServer server([](RawPeer& peer, int) {
    peer.ReadSome();
    peer.Write(RawAnswer(413, "too much", "Connection: close\r\n"));
    peer.CloseWrite();
    peer.WaitForClose();
  });
  HttpRequest request = Get(server);
  request.method = "POST";
  request.tail = SerializeTail("POST", {}, std::string(16 << 20, 'u'));
  const HttpResponse response = Answer(std::move(request));
  EXPECT_EQ(response.status, 413);
  EXPECT_EQ(response.body, "too much");
  EXPECT_EQ(Stats().connections, 0u);
}

TEST_F(HttpClientTest, RefusedConnectionIsUnreachableAndUnsent) {
  std::uint16_t port = 0;
  {
    port = RawServer([](RawPeer&, int) {}).port();
  }
  const HttpError error = Error({.origin = {false, "127.0.0.1", port}});
  EXPECT_EQ(error.kind, HttpError::Kind::kUnreachable);
  EXPECT_FALSE(error.sent);
  EXPECT_FALSE(error.answered);
  EXPECT_EQ(error.message,
            absl::StrCat("connect 127.0.0.1:", port, ": connection refused"));
  EXPECT_EQ(Stats().connections, 0u);
}

TEST_F(HttpClientTest, SilentServerTimesOutAsSent) {
  RawServer server([](RawPeer& peer, int) { peer.WaitForClose(); });
  HttpRequest request = Get(server);
  request.timeout = absl::Milliseconds(20);
  const HttpError error = Error(std::move(request));
  EXPECT_EQ(error.kind, HttpError::Kind::kTimeout);
  EXPECT_TRUE(error.sent);
  EXPECT_FALSE(error.answered);
  EXPECT_EQ(error.message, absl::StrCat("request to 127.0.0.1:", server.port(),
                                        ": no answer within 20ms"));
  server.WaitForEnded(1);
  EXPECT_EQ(Stats().connections, 0u);
}

TEST_F(HttpClientTest, TimeoutAfterHeadersIsAnswered) {
  RawServer server([](RawPeer& peer, int) {
    peer.Write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab");
    peer.WaitForClose();
  });
  HttpRequest request = Get(server);
  request.timeout = absl::Milliseconds(100);
  const HttpError error = Error(std::move(request));
  EXPECT_EQ(error.kind, HttpError::Kind::kTimeout);
  EXPECT_TRUE(error.sent);
  EXPECT_TRUE(error.answered);
}

TEST_F(HttpClientTest, TimeoutDoesNotHitAnAnsweredRequest) {
  const auto server = RawServer::Always(RawAnswer(200, "{}"));
  for (int i = 0; i < 2; ++i) {
    HttpRequest request = Get(*server);
    request.timeout = absl::Seconds(30);
    EXPECT_EQ(Answer(std::move(request)).status, 200);
  }
  EXPECT_EQ(Stats().idle, 1u);
}

TEST_F(HttpClientTest, LostConnectionIsSentAndUnanswered) {
  RawServer server([](RawPeer& peer, int index) {
    peer.ReadRequest();
    if (index == 1) peer.ResetAtEnd();
  });
  for (const char* cause :
       {"connection closed by the server", "connection reset by peer"}) {
    const HttpError error = Error(Get(server));
    EXPECT_EQ(error.kind, HttpError::Kind::kConnectionLost);
    EXPECT_TRUE(error.sent);
    EXPECT_FALSE(error.answered);
    EXPECT_EQ(error.message, absl::StrCat("read answer from 127.0.0.1:",
                                          server.port(), ": ", cause));
  }
}

TEST_F(HttpClientTest, CancelClosesTheConnectionAndForgetsTheCallback) {
  auto token = std::make_shared<int>(0);
  absl::Notification arrived;
  RawServer server([&](RawPeer& peer, int) {
    peer.ReadRequest();
    arrived.Notify();
    peer.WaitForClose();
  });
  const RequestId id = OnLoop(loop_, [&] {
    return client().Send(Get(server), [token](HttpOutcome) { ADD_FAILURE(); });
  });
  arrived.WaitForNotification();
  EXPECT_TRUE(Cancel(id));
  EXPECT_EQ(token.use_count(), 1);
  server.WaitForEnded(1);
  EXPECT_EQ(Stats().connections, 0u);
  EXPECT_EQ(Stats().in_flight, 0u);
  EXPECT_FALSE(Cancel(id));
  EXPECT_FALSE(Cancel(kNoRequest));
}

TEST_F(HttpClientTest, CancelBeforeTheConnectionSendsNothing) {
  const auto server = RawServer::Always(RawAnswer(200, "{}"));
  OnLoop(loop_, [&] {
    const RequestId id =
        client().Send(Get(*server), [](HttpOutcome) { ADD_FAILURE(); });
    EXPECT_FALSE(client().Cancel(id).sent);
    EXPECT_EQ(client().Stats().connections, 0u);
  });
}

TEST_F(HttpClientTest, CallbackMayCancelAnotherRequest) {
  RawServer silent([](RawPeer& peer, int) { peer.WaitForClose(); });
  const auto server = RawServer::Always(RawAnswer(200, "{}"));
  absl::Notification done;
  OnLoop(loop_, [&] {
    const RequestId other =
        client().Send(Get(silent), [](HttpOutcome) { ADD_FAILURE(); });
    client().Send(Get(*server), [&, other](HttpOutcome) {
      client().Cancel(other);
      done.Notify();
    });
  });
  done.WaitForNotification();
  EXPECT_EQ(Stats().in_flight, 0u);
}

TEST_F(HttpClientTest, CallbackMayDestroyTheClient) {
  RawServer silent([](RawPeer& peer, int) { peer.WaitForClose(); });
  const auto server = RawServer::Always(RawAnswer(200, "{}"));
  absl::Notification done;
  OnLoop(loop_, [&] {
    client().Send(Get(silent), [](HttpOutcome) { ADD_FAILURE(); });
    client().Send(Get(*server), [&](HttpOutcome) {
      client_.reset();
      done.Notify();
    });
  });
  done.WaitForNotification();
}

TEST_F(HttpClientTest, DestructionDropsRequestsInFlight) {
  RawServer silent([](RawPeer& peer, int) { peer.WaitForClose(); });
  auto token = std::make_shared<int>(0);
  OnLoop(loop_, [&] {
    for (int i = 0; i < 3; ++i) {
      client().Send(Get(silent), [token](HttpOutcome) { ADD_FAILURE(); });
    }
    client_.reset();
  });
  EXPECT_EQ(token.use_count(), 1);
}

TEST_F(HttpClientTest, MayBeDestroyedAfterTheLoopStopped) {
  RawServer silent([](RawPeer& peer, int) { peer.WaitForClose(); });
  const auto server = RawServer::Always(RawAnswer(200, "{}"));
  auto loop = std::make_unique<AsioLoop>("short");
  auto client = *HttpClient::Create(*loop, resources_->get(), {});
  auto token = std::make_shared<int>(0);
  Outcome outcome;
  OnLoop(*loop, [&] {
    HttpRequest request = Get(silent);
    request.timeout = absl::Hours(1);
    client->Send(std::move(request), [token](HttpOutcome) { ADD_FAILURE(); });
    client->Send(Get(*server),
                 [&](HttpOutcome o) { outcome.Set(std::move(o)); });
  });
  AnswerOf(outcome.Take());
  loop->Stop();
  client.reset();
  EXPECT_EQ(token.use_count(), 1);
  loop.reset();
}

}  // namespace
}  // namespace coord
