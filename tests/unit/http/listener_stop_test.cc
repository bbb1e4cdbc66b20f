// The end of the listener.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "tests/unit/http/listener_fixture.h"

namespace coord {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

TEST_F(HttpListenerTest, StopLetsTheAnswerOutAndThenCallsBack) {
  Promised<HttpReply> pending;
  Start([&](HttpServerRequest, HttpReply reply) {
    pending.Set(std::move(reply));
  });
  RawClient idle = Connect();
  RawClient busy = Connect();
  busy.Write(kGet);
  HttpReply reply = pending.Take();
  absl::Notification stopped;
  listener_->Stop(absl::Hours(1), [&] {
    EXPECT_TRUE(loop_.OnLoop());
    stopped.Notify();
  });
  EXPECT_EQ(idle.ReadAll(), "");
  EXPECT_FALSE(stopped.HasBeenNotified());
  std::move(reply)({200, {}, "late"});
  EXPECT_THAT(busy.ReadAll(), HasSubstr("Connection: close\r\n\r\nlate"));
  busy.Close();
  stopped.WaitForNotification();
}

TEST_F(HttpListenerTest, StopDuringALongAnswerEndsTheConnectionAfterIt) {
  const std::string body(32 << 20, 'x');
  absl::Notification replied;
  Start([&](HttpServerRequest, HttpReply reply) {
    std::move(reply)({200, {}, body});
    replied.Notify();
  });
  RawClient client = Connect();
  client.Write(kGet);
  replied.WaitForNotification();
  absl::Notification stopped;
  listener_->Stop(absl::Hours(1), [&] { stopped.Notify(); });
  EXPECT_GT(client.ReadAll().size(), body.size());
  client.Close();
  stopped.WaitForNotification();
}

TEST_F(HttpListenerTest, StopAnswersWhatIsLeftAfterTheGrace) {
  Promised<HttpReply> pending;
  Start([&](HttpServerRequest, HttpReply reply) {
    pending.Set(std::move(reply));
  });
  RawClient busy = Connect();
  busy.Write(kGet);
  HttpReply reply = pending.Take();
  absl::Notification stopped;
  listener_->Stop(absl::Milliseconds(20), [&] { stopped.Notify(); });
  stopped.WaitForNotification();
  EXPECT_THAT(busy.ReadAll(),
              AllOf(StartsWith("HTTP/1.1 503 Service Unavailable\r\n"),
                    HasSubstr("Connection: close\r\n"),
                    HasSubstr("\"message\":\"the server is shutting down\"")));
  std::move(reply)({200, {}, "too late"});
}

TEST_F(HttpListenerTest, StopAnswersHalfARequestAfterTheGrace) {
  StartEcho();
  RawClient slow = Connect();
  // Answered, so that the rest is read while Stop comes.
  slow.Write(absl::StrCat(std::string(kGet), "GET / HTTP/1.1\r\nHo"));
  slow.ReadUntil("\r\n\r\n");
  absl::Notification stopped;
  listener_->Stop(absl::Milliseconds(20), [&] { stopped.Notify(); });
  stopped.WaitForNotification();
  EXPECT_THAT(slow.ReadAll(),
              HasSubstr("HTTP/1.1 503 Service Unavailable\r\n"));
}

TEST_F(HttpListenerTest, StopClosesWhoDoesNotReadTheLastAnswer) {
  absl::Notification replied;
  Start([&](HttpServerRequest, HttpReply reply) {
    std::move(reply)({200, {}, std::string(64 << 20, 'x')});
    replied.Notify();
  });
  RawClient client = Connect();
  client.Write(kGet);
  replied.WaitForNotification();
  absl::Notification stopped;
  listener_->Stop(absl::ZeroDuration(), [&] { stopped.Notify(); });
  stopped.WaitForNotification();
  EXPECT_LT(client.ReadAll().size(), 64u << 20);
}

TEST_F(HttpListenerTest, StopWithoutConnectionsCallsBackAtOnce) {
  StartEcho();
  absl::Notification stopped;
  listener_->Stop(absl::Hours(1), [&] { stopped.Notify(); });
  stopped.WaitForNotification();
}

TEST_F(HttpListenerTest, StopTwiceCallsBackTwice) {
  StartEcho();
  absl::Notification first;
  absl::Notification second;
  listener_->Stop(absl::Hours(1), [&] { first.Notify(); });
  listener_->Stop(absl::Hours(1), [&] { second.Notify(); });
  first.WaitForNotification();
  second.WaitForNotification();
}

TEST_F(HttpListenerTest, HandlerMayStopTheListener) {
  absl::Notification stopped;
  Start([&](HttpServerRequest, HttpReply reply) {
    listener_->Stop(absl::Hours(1), [&] { stopped.Notify(); });
    std::move(reply)({200, {}, "bye"});
  });
  EXPECT_THAT(Talk(kGet), EndsWith("bye"));
  stopped.WaitForNotification();
}

TEST_F(HttpListenerTest, MayBeDestroyedAfterTheLoopStopped) {
  auto loop = std::make_unique<AsioLoop>("short");
  auto token = std::make_shared<int>(0);
  Promised<HttpReply> pending;
  auto listener = *HttpListener::Start(
      *loop, {}, [&pending, token](HttpServerRequest, HttpReply reply) {
        pending.Set(std::move(reply));
      });
  RawClient client(listener->port());
  client.Write(kGet);
  HttpReply reply = pending.Take();
  loop->Stop();
  listener.reset();
  EXPECT_EQ(client.ReadAll(), "");
  EXPECT_EQ(token.use_count(), 1);
  std::move(reply)({200, {}, ""});
  loop.reset();
}

}  // namespace
}  // namespace coord
