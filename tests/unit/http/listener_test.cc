// Connections of the listener, and answers.
#include "server/http/listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "server/http/router.h"
#include "tests/unit/http/listener_fixture.h"

namespace coord {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::string_view kLastGet =
    "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

TEST_F(HttpListenerTest, AnswersOneRequest) {
  StartEcho();
  EXPECT_EQ(Talk("POST /a/b?c=d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                 "Content-Length: 2\r\n\r\nhi"),
            "HTTP/1.1 200 OK\r\nx-echo: 1\r\nContent-Length: 16\r\n"
            "Connection: close\r\n\r\nPOST /a/b?c=d hi");
}

TEST_F(HttpListenerTest, ConnectionIsKept) {
  StartEcho();
  RawClient client = Connect();
  for (int i = 0; i < 3; ++i) {
    client.Write(kGet);
    const std::string answer = client.ReadUntil("GET /? ");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, Not(HasSubstr("Connection:")));
  }
}

TEST_F(HttpListenerTest, Http10IsKeptOnlyWhenAskedFor) {
  StartEcho();
  EXPECT_THAT(Talk("GET / HTTP/1.0\r\n\r\n"),
              HasSubstr("\r\nConnection: close\r\n"));
  RawClient client = Connect();
  for (int i = 0; i < 2; ++i) {
    client.Write("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_THAT(client.ReadUntil("GET /? "),
                HasSubstr("\r\nConnection: keep-alive\r\n"));
  }
}

TEST_F(HttpListenerTest, PipelinedRequestsAreAnsweredInOrderOneAtATime) {
  std::vector<std::string> order;
  std::optional<HttpReply> pending;
  absl::Notification first;
  Start([&](HttpServerRequest request, HttpReply reply) {
    order.push_back(request.path);
    if (request.path != "/1") {
      return std::move(reply)({200, {}, request.path});
    }
    pending = std::move(reply);
    first.Notify();
  });
  RawClient client = Connect();
  client.Write(
      "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n"
      "GET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  first.WaitForNotification();
  EXPECT_EQ(OnLoop(loop_, [&] { return order.size(); }), 1u);
  std::move (*pending)({200, {}, "/1"});
  const std::string answers = client.ReadAll();
  EXPECT_LT(answers.find("\r\n\r\n/1"), answers.find("\r\n\r\n/2"));
  EXPECT_LT(answers.find("\r\n\r\n/2"), answers.find("\r\n\r\n/3"));
  EXPECT_THAT(answers, EndsWith("/3"));
}

TEST_F(HttpListenerTest, ThousandsOfPipelinedRequestsNeedNoDeepStack) {
  StartEcho();
  RawClient client = Connect();
  std::string all;
  for (int i = 0; i < 20'000; ++i) all += kGet;
  std::thread writer([&] {
    client.Write(all);
    client.Write(kLastGet);
  });
  const std::string answers = client.ReadAll();
  writer.join();
  std::size_t count = 0;
  for (std::size_t at = 0;
       (at = answers.find("GET /? ", at)) != std::string::npos; ++at) {
    ++count;
  }
  EXPECT_EQ(count, 20'001u);
}

// A reply from code of the application's own must not run the handler inside.
TEST_F(HttpListenerTest, ReplyDoesNotEnterTheNextHandler) {
  std::optional<HttpReply> pending;
  absl::Notification first;
  absl::Notification second;
  Start([&](HttpServerRequest, HttpReply reply) {
    if (first.HasBeenNotified()) {
      second.Notify();
      return std::move(reply)({200, {}, ""});
    }
    pending = std::move(reply);
    first.Notify();
  });
  RawClient client = Connect();
  client.Write(absl::StrCat(std::string(kGet), std::string(kLastGet)));
  first.WaitForNotification();
  OnLoop(loop_, [&] {
    std::move (*pending)({200, {}, ""});
    EXPECT_FALSE(second.HasBeenNotified());
  });
  second.WaitForNotification();
}

TEST_F(HttpListenerTest, ClientThatSendsNoMoreGetsItsAnswer) {
  StartEcho();
  RawClient client = Connect();
  client.Write(kGet);
  client.CloseWrite();
  EXPECT_THAT(client.ReadAll(), EndsWith("GET /? "));
}

TEST_F(HttpListenerTest, HeadGetsTheLengthButNoBody) {
  StartEcho();
  EXPECT_EQ(Talk("HEAD /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nx-echo: 1\r\nContent-Length: 9\r\n"
            "Connection: close\r\n\r\n");
}

TEST_F(HttpListenerTest, HeadWithoutABodyHasNoLength) {
  Start([](HttpServerRequest, HttpReply reply) {
    std::move(reply)({200, {}, ""});
  });
  EXPECT_EQ(Talk("HEAD /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
}

TEST_F(HttpListenerTest, StatusWithoutBodyHasNoLength) {
  for (const int status : {204, 304}) {
    Start([status](HttpServerRequest, HttpReply reply) {
      std::move(reply)({status, {}, "dropped"});
    });
    const std::string answer = Talk(kLastGet);
    EXPECT_THAT(answer, Not(HasSubstr("Content-Length")));
    EXPECT_THAT(answer, EndsWith("Connection: close\r\n\r\n"));
  }
}

TEST_F(HttpListenerTest, HeadersThatBreakTheFramingAreLeftOut) {
  Start([](HttpServerRequest, HttpReply reply) {
    std::move(reply)({200,
                      {{"content-length", "7"},
                       {"Transfer-Encoding", "chunked"},
                       {"Connection", "keep-alive"},
                       {"X-Split", "a\r\nSet-Cookie: b"},
                       {"X-Fine", "c"}},
                      "{}"});
  });
  EXPECT_EQ(Talk(kLastGet),
            "HTTP/1.1 200 OK\r\nX-Fine: c\r\nContent-Length: 2\r\n"
            "Connection: close\r\n\r\n{}");
}

TEST_F(HttpListenerTest, AnswerWithoutStatusIs500) {
  Start([](HttpServerRequest, HttpReply reply) { std::move(reply)({}); });
  EXPECT_THAT(Talk(kLastGet), StartsWith("HTTP/1.1 500 "));
}

TEST_F(HttpListenerTest, DroppedReplyIs500) {
  Start([](HttpServerRequest, HttpReply) {});
  const std::string answer = Talk(kLastGet);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 500 Internal Server Error\r\n"));
  EXPECT_THAT(answer, HasSubstr("\"statusCode\":500"));
}

TEST_F(HttpListenerTest, ReplyMayComeFromAnyThread) {
  std::thread worker;
  Start([&](HttpServerRequest, HttpReply reply) {
    worker = std::thread([reply = std::move(reply)]() mutable {
      std::move(reply)({200, {}, "from afar"});
    });
  });
  EXPECT_THAT(Talk(kLastGet), EndsWith("from afar"));
  worker.join();
}

TEST_F(HttpListenerTest, ReplyAfterTheClientLeftIsHarmless) {
  Promised<HttpReply> pending;
  Start([&](HttpServerRequest, HttpReply reply) {
    pending.Set(std::move(reply));
  });
  RawClient client = Connect();
  client.Write(kGet);
  HttpReply reply = pending.Take();
  client.Close();
  std::move(reply)({200, {}, std::string(1 << 20, 'x')});
}

TEST_F(HttpListenerTest, ReplyAfterTheListenerIsGoneIsHarmless) {
  Promised<HttpReply> pending;
  Start([&](HttpServerRequest, HttpReply reply) {
    pending.Set(std::move(reply));
  });
  RawClient client = Connect();
  client.Write(kGet);
  HttpReply reply = pending.Take();
  listener_.reset();
  EXPECT_EQ(client.ReadAll(), "");
  std::move(reply)({200, {}, ""});
}

TEST_F(HttpListenerTest, LargeAnswerIsWhole) {
  const std::string body(8 << 20, 'x');
  Start([&](HttpServerRequest, HttpReply reply) {
    std::move(reply)({200, {}, body});
  });
  const std::string answer = Talk(kLastGet);
  EXPECT_EQ(answer.size() - answer.find("\r\n\r\n") - 4, body.size());
}

TEST_F(HttpListenerTest, ClientThatDoesNotReadIsClosed) {
  options_.slow_client_timeout = absl::Milliseconds(20);
  const std::string body(64 << 20, 'x');
  Start([&](HttpServerRequest, HttpReply reply) {
    std::move(reply)({200, {}, body});
  });
  RawClient client = Connect();
  client.Write(kGet);
  client.WaitForHangUp();
  EXPECT_LT(client.ReadAll().size(), body.size());
}

TEST_F(HttpListenerTest, IdleConnectionIsClosed) {
  options_.idle_timeout = absl::Milliseconds(20);
  StartEcho();
  EXPECT_EQ(Talk(""), "");
  RawClient client = Connect();
  client.Write(kGet);
  EXPECT_THAT(client.ReadAll(), EndsWith("GET /? "));
}

TEST_F(HttpListenerTest, IdleTimeoutSparesARequestInProgress) {
  options_.idle_timeout = absl::Milliseconds(10);
  Start([&](HttpServerRequest, HttpReply reply) {
    loop_.RunAfter(absl::Milliseconds(50),
                   [reply = std::move(reply)]() mutable {
                     std::move(reply)({200, {}, "slow"});
                   });
  });
  EXPECT_THAT(Talk(kLastGet), EndsWith("slow"));
}

TEST_F(HttpListenerTest, OverTheConnectionLimitNewOnesWait) {
  options_.max_connections = 1;
  StartEcho();
  RawClient first = Connect();
  first.Write(kGet);
  first.ReadUntil("GET /? ");
  RawClient second = Connect();
  second.Write(kLastGet);
  first.Write(kLastGet);
  first.ReadAll();
  first.Close();
  EXPECT_THAT(second.ReadAll(), StartsWith("HTTP/1.1 200 OK"));
}

TEST_F(HttpListenerTest, WhoConnectsBeforeItServesWaits) {
  listener_ = *HttpListener::Bind(loop_, options_);
  RawClient client = Connect();
  client.Write(kLastGet);
  listener_->Serve([](HttpServerRequest, HttpReply reply) {
    std::move(reply)({200, {}, "served"});
  });
  EXPECT_THAT(client.ReadAll(), EndsWith("served"));
}

TEST_F(HttpListenerTest, PortInUseIsTold) {
  StartEcho();
  options_.port = listener_->port();
  const auto second =
      HttpListener::Start(loop_, options_, [](HttpServerRequest, HttpReply) {});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(second.status().message(),
            absl::StrCat("listen on 127.0.0.1:", listener_->port(),
                         ": address already in use"));
}

TEST_F(HttpListenerTest, PortIsFreeAgainAtOnce) {
  StartEcho();
  Talk(kLastGet);
  options_.port = listener_->port();
  listener_.reset();
  StartEcho();
  EXPECT_THAT(Talk(kLastGet), StartsWith("HTTP/1.1 200 OK"));
}

TEST_F(HttpListenerTest, TellsItsAddress) {
  StartEcho();
  EXPECT_NE(listener_->port(), 0);
  EXPECT_EQ(listener_->address(),
            absl::StrCat("127.0.0.1:", listener_->port()));
}

TEST_F(HttpListenerTest, UnknownHostIsTold) {
  options_.host = "no such name";
  const auto listener =
      HttpListener::Start(loop_, options_, [](HttpServerRequest, HttpReply) {});
  EXPECT_EQ(listener.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(listener.status().message()),
              StartsWith("listen on no such name:0: "));
}

TEST_F(HttpListenerTest, LargeAnswersAreRefusedWhileTooMuchWaitsToBeRead) {
  options_.max_unread_bytes = 20 << 20;
  Start([](HttpServerRequest request, HttpReply reply) {
    const std::size_t size = request.path == "/large" ? 16 << 20 : 10;
    std::move(reply)({200, {}, std::string(size, 'x')});
  });
  constexpr std::string_view kLarge =
      "GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  RawClient stalled = Connect();
  stalled.Write(kLarge);
  const auto await_unread = [this](bool any) {
    while ((OnLoop(loop_, [this] { return listener_->unread_bytes(); }) > 0) !=
           any) {
    }
  };
  await_unread(true);
  const std::string refusal = Talk(kLarge);
  EXPECT_THAT(refusal, StartsWith("HTTP/1.1 429 "));
  EXPECT_THAT(refusal, HasSubstr("\r\nRetry-After: 1\r\n"));
  EXPECT_THAT(refusal, HasSubstr("too many answers wait for clients"));
  EXPECT_THAT(Talk(kLastGet), StartsWith("HTTP/1.1 200 OK\r\n"));

  stalled.Close();
  await_unread(false);
  EXPECT_THAT(Talk(kLarge), StartsWith("HTTP/1.1 200 OK\r\n"));
}

}  // namespace
}  // namespace coord
