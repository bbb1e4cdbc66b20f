#include "client/cpp/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "absl/synchronization/notification.h"
#include "common/error.h"
#include "tests/unit/client/scripted_server.h"

namespace coord {
namespace {

using testing::SizeIs;

SessionOptions OptionsFor(absl::Notification& registered) {
  SessionOptions options;
  options.server.set_type("orders");
  options.server.set_server_id("node-1");
  options.callbacks.on_update = [&registered](const pb::Registration&) {
    if (!registered.HasBeenNotified()) registered.Notify();
  };
  return options;
}

TEST(SessionTest, DestructorUnregisters) {
  ScriptedServer server;
  absl::Notification registered;
  {
    const Session session(server.Connect(), OptionsFor(registered));
    registered.WaitForNotification();
  }
  ASSERT_THAT(server.unregistered(), SizeIs(1));
  EXPECT_EQ(server.unregistered()[0].session_id(), "session-1");
}

TEST(SessionTest, SecondCloseReturnsWhatTheFirstDid) {
  ScriptedServer server;
  absl::Notification registered;
  Session session(server.Connect(), OptionsFor(registered));
  registered.WaitForNotification();
  const auto first = session.Close();
  const auto second = session.Close();
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->server_count(), first->server_count());
  EXPECT_THAT(server.unregistered(), SizeIs(1));
}

TEST(SessionTest, CloseWithoutClusterdSaysThatNothingWasRegistered) {
  ScriptedServer server;
  server.Stop();
  absl::Notification registered;
  Session session(server.Connect(), OptionsFor(registered));
  EXPECT_TRUE(HasReason(session.Close().status(), Reason::kNotRegistered));
}

TEST(SessionTest, CloseEndsThoughClusterdDoesNotAnswer) {
  ScriptedServer server;
  absl::Notification end;
  server.on_unregister = [&end](const auto&, auto*) {
    end.WaitForNotification();
    return grpc::Status::OK;
  };
  absl::Notification registered;
  SessionOptions options = OptionsFor(registered);
  options.call_timeout = absl::Milliseconds(200);
  Session session(server.Connect(), std::move(options));
  registered.WaitForNotification();
  EXPECT_TRUE(absl::IsDeadlineExceeded(session.Close().status()));
  end.Notify();
  server.Stop();  // its handler uses `end`
}

}  // namespace
}  // namespace coord
