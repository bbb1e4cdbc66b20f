#include "server/http/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/on_loop.h"
#include "tests/support/raw_server.h"

namespace coord {
namespace {

using ::testing::HasSubstr;

class HttpClientTest : public ::testing::Test {
 protected:
  ~HttpClientTest() override {
    OnLoop(loop_, [this] { client_.reset(); });
  }

  HttpClient& client() {
    if (!client_) client_ = *HttpClient::Create(loop_, options_);
    return *client_;
  }

  static HttpRequest Get(const RawServer& server, std::string target = "/") {
    return {.origin = server.origin(), .target = std::move(target)};
  }

  // Sends and waits.
  HttpOutcome Fetch(HttpRequest request) {
    Promised<HttpOutcome> outcome;
    OnLoop(loop_, [&] {
      client().Send(std::move(request),
                    [&](HttpOutcome o) { outcome.Set(std::move(o)); });
    });
    return outcome.Take();
  }

  HttpResponse Answer(HttpRequest request) {
    HttpOutcome outcome = Fetch(std::move(request));
    if (const auto* error = std::get_if<HttpError>(&outcome)) {
      ADD_FAILURE() << error->message;
      return {};
    }
    return std::get<HttpResponse>(std::move(outcome));
  }

  HttpError Error(HttpRequest request) {
    HttpOutcome outcome = Fetch(std::move(request));
    if (std::holds_alternative<HttpResponse>(outcome)) {
      ADD_FAILURE() << "it was answered";
      return {};
    }
    return std::get<HttpError>(std::move(outcome));
  }

  // What a server that plays `bytes` and closes is understood as.
  HttpOutcome Play(const std::string& bytes, HttpRequest request = {}) {
    RawServer server([&](RawPeer& peer, int) {
      peer.ReadRequest();
      peer.Write(bytes);
    });
    request.origin = server.origin();
    return Fetch(std::move(request));
  }

  HttpClientStats Stats() {
    return OnLoop(loop_, [this] { return client().Stats(); });
  }

  HttpClientOptions options_;
  AsioLoop loop_{"client-test"};
  std::unique_ptr<HttpClient> client_;
};

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

TEST_F(HttpClientTest, ReusesAConnection) {
  const auto server = RawServer::Always(RawAnswer(200, "{}"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Answer(Get(*server)).status, 200);
  }
  EXPECT_EQ(server->connections(), 1);
  EXPECT_EQ(Stats().idle, 1u);
  EXPECT_EQ(Stats().connections, 1u);
  EXPECT_EQ(Stats().in_flight, 0u);
}

TEST_F(HttpClientTest, RequestSentFromACallbackReusesTheConnection) {
  const auto server = RawServer::Always(RawAnswer(200, "{}"));
  Promised<HttpOutcome> second;
  OnLoop(loop_, [&] {
    client().Send(Get(*server), [&](HttpOutcome) {
      client().Send(Get(*server),
                    [&](HttpOutcome o) { second.Set(std::move(o)); });
    });
  });
  EXPECT_TRUE(std::holds_alternative<HttpResponse>(second.Take()));
  EXPECT_EQ(server->connections(), 1);
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
}

TEST_F(HttpClientTest, SilentServerTimesOutAsSent) {
  RawServer server([](RawPeer& peer, int) { peer.WaitForClose(); });
  HttpRequest request = Get(server);
  request.timeout = absl::Milliseconds(20);
  const HttpError error = Error(std::move(request));
  EXPECT_EQ(error.kind, HttpError::Kind::kTimeout);
  EXPECT_TRUE(error.sent);
  EXPECT_FALSE(error.answered);
  EXPECT_THAT(error.message, HasSubstr("no answer within 20ms"));
  server.WaitForEnded(1);
  EXPECT_EQ(Stats().connections, 0u);
}

TEST_F(HttpClientTest, ReadsChunkedAnswerAndDropsTrailers) {
  const auto outcome = Play(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;x=\"y\"\r\nabc\r\n0a\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n");
  const auto& response = std::get<HttpResponse>(outcome);
  EXPECT_EQ(response.body, "abc0123456789");
  EXPECT_EQ(FindHeader(response.headers, "x-t"), "");
}

TEST_F(HttpClientTest, ReadsAnswerThatEndsWithTheConnection) {
  for (const char* version : {"HTTP/1.1", "HTTP/1.0"}) {
    const auto outcome =
        Play(absl::StrCat(version, " 200 OK\r\n\r\nall of it"));
    EXPECT_EQ(std::get<HttpResponse>(outcome).body, "all of it") << version;
  }
}

TEST_F(HttpClientTest, CancelClosesTheConnectionAndForgetsTheCallback) {
  RawServer server([](RawPeer& peer, int) { peer.WaitForClose(); });
  auto token = std::make_shared<int>(0);
  absl::Notification arrived;
  RawServer waiting([&](RawPeer& peer, int) {
    peer.ReadRequest();
    arrived.Notify();
    peer.WaitForClose();
  });
  const RequestId id = OnLoop(loop_, [&] {
    return client().Send(Get(waiting), [token](HttpOutcome) { ADD_FAILURE(); });
  });
  arrived.WaitForNotification();
  EXPECT_TRUE(OnLoop(loop_, [&] { return client().Cancel(id); }));
  EXPECT_EQ(token.use_count(), 1);
  waiting.WaitForEnded(1);
  EXPECT_FALSE(OnLoop(loop_, [&] { return client().Cancel(id); }));
}

}  // namespace
}  // namespace coord
