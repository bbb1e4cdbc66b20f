#include "server/http/listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "server/http/router.h"
#include "tests/support/on_loop.h"
#include "tests/support/raw_client.h"

namespace coord {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class HttpListenerTest : public ::testing::Test {
 protected:
  void Start(HttpHandler handler) {
    auto listener = HttpListener::Start(loop_, options_, std::move(handler));
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }

  // Answers with `<method> <path>?<query> <body>`.
  void StartEcho() {
    Start([](HttpServerRequest request, HttpReply reply) {
      std::move(reply)({200,
                        {{"x-echo", "1"}},
                        absl::StrCat(request.method, " ", request.path, "?",
                                     request.query, " ", request.body)});
    });
  }

  // Everything the listener sends until it closes.
  std::string Talk(std::string_view bytes) {
    RawClient client(listener_->port());
    client.Write(bytes);
    return client.ReadAll();
  }

  HttpListenerOptions options_;
  AsioLoop loop_{"listener-test"};
  std::unique_ptr<HttpListener> listener_;
};

TEST_F(HttpListenerTest, AnswersOneRequest) {
  StartEcho();
  EXPECT_EQ(Talk("POST /a/b?c=d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                 "Content-Length: 2\r\n\r\nhi"),
            "HTTP/1.1 200 OK\r\nx-echo: 1\r\nContent-Length: 16\r\n"
            "Connection: close\r\n\r\nPOST /a/b?c=d hi");
}

TEST_F(HttpListenerTest, PipelinedRequestsAreAnsweredInOrder) {
  StartEcho();
  const std::string answers = Talk(
      "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n"
      "GET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::size_t first = answers.find("GET /1? ");
  const std::size_t second = answers.find("GET /2? ");
  const std::size_t third = answers.find("GET /3? ");
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
  EXPECT_NE(third, std::string::npos);
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

TEST_F(HttpListenerTest, DroppedReplyIs500) {
  Start([](HttpServerRequest, HttpReply) {});
  const std::string answer =
      Talk("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 500 Internal Server Error\r\n"));
  EXPECT_THAT(answer, HasSubstr("\"statusCode\":500"));
}

TEST_F(HttpListenerTest, StopLetsTheAnswerOutAndThenCallsBack) {
  Promised<HttpReply> pending;
  Start([&](HttpServerRequest, HttpReply reply) {
    pending.Set(std::move(reply));
  });
  RawClient idle(listener_->port());
  RawClient busy(listener_->port());
  busy.Write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  HttpReply reply = pending.Take();
  absl::Notification stopped;
  listener_->Stop(absl::Hours(1), [&] { stopped.Notify(); });
  EXPECT_EQ(idle.ReadAll(), "");
  EXPECT_FALSE(stopped.HasBeenNotified());
  std::move(reply)({200, {}, "late"});
  EXPECT_THAT(busy.ReadAll(), HasSubstr("Connection: close\r\n\r\nlate"));
  busy.Close();
  stopped.WaitForNotification();
}

}  // namespace
}  // namespace coord
