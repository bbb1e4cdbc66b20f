// The client's connections: reuse, limits, queue.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "server/http/client.h"
#include "tests/unit/http/client_fixture.h"

namespace coord {
namespace {

using ::testing::ElementsAre;

class HttpClientPoolTest : public HttpClientTest {
 protected:
  // Waits for the loop to notice that an idle connection is gone.
  void WaitForNoConnections() {
    while (Stats().connections > 0) {
    }
  }
};

TEST_F(HttpClientPoolTest, ReusesAConnection) {
  const auto server = RawServer::Always(RawAnswer(200, "{}"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Answer(Get(*server)).status, 200);
  }
  EXPECT_EQ(server->connections(), 1);
  const HttpClientStats stats = Stats();
  EXPECT_EQ(stats.idle, 1u);
  EXPECT_EQ(stats.connections, 1u);
  EXPECT_EQ(stats.in_flight, 0u);
}

TEST_F(HttpClientPoolTest, RequestSentFromACallbackReusesTheConnection) {
  const auto server = RawServer::Always(RawAnswer(200, "{}"));
  Outcome second;
  OnLoop(loop_, [&] {
    client().Send(Get(*server), [&](HttpOutcome) {
      client().Send(Get(*server),
                    [&](HttpOutcome o) { second.Set(std::move(o)); });
    });
  });
  AnswerOf(second.Take());
  EXPECT_EQ(server->connections(), 1);
}

TEST_F(HttpClientPoolTest, OriginsDoNotShareConnections) {
  const auto one = RawServer::Always(RawAnswer(200, "1"));
  const auto two = RawServer::Always(RawAnswer(200, "2"));
  EXPECT_EQ(Answer(Get(*one)).body, "1");
  EXPECT_EQ(Answer(Get(*two)).body, "2");
  HttpRequest by_name = Get(*one);
  by_name.origin.host = "localhost";
  EXPECT_EQ(Answer(std::move(by_name)).body, "1");
  EXPECT_EQ(one->connections(), 2);
}

TEST_F(HttpClientPoolTest, IdleConnectionThatTheServerClosedIsDropped) {
  RawServer server([](RawPeer& peer, int) {
    peer.ReadRequest();
    peer.Write(RawAnswer(200, "{}"));
  });
  Answer(Get(server));
  WaitForNoConnections();
  EXPECT_EQ(Stats().idle, 0u);
  EXPECT_EQ(Answer(Get(server)).status, 200);
}

TEST_F(HttpClientPoolTest, ServerThatSpeaksUnaskedIsDropped) {
  absl::Notification answered;
  RawServer server([&](RawPeer& peer, int) {
    peer.ReadRequest();
    peer.Write(RawAnswer(200, "{}"));
    answered.WaitForNotification();
    peer.Write(RawAnswer(408, "{}"));
    peer.WaitForClose();
  });
  Answer(Get(server));
  answered.Notify();
  WaitForNoConnections();
}

// The loop is kept busy, so that it can't come to the end of the connection.
TEST_F(HttpClientPoolTest, EndThatTheLoopHasNotSeenIsFoundBeforeUse) {
  absl::Notification answered;
  RawServer server([&](RawPeer& peer, int index) {
    peer.ReadRequest();
    peer.Write(RawAnswer(200, "{}"));
    if (index == 0) answered.WaitForNotification();
  });
  Answer(Get(server));
  Outcome second;
  OnLoop(loop_, [&] {
    const absl::Time now = loop_.Now();
    answered.Notify();
    server.WaitForEnded(1);
    while (loop_.Now() < now + absl::Milliseconds(2)) {
    }
    HttpRequest request = Get(server);
    request.repeatable = false;
    client().Send(std::move(request),
                  [&](HttpOutcome o) { second.Set(std::move(o)); });
  });
  EXPECT_EQ(AnswerOf(second.Take()).status, 200);
  EXPECT_EQ(server.connections(), 2);
}

TEST_F(HttpClientPoolTest, UnrepeatableRequestWantsAYoungConnection) {
  options_.max_idle_time_unrepeatable = absl::ZeroDuration();
  const auto server = RawServer::Always(RawAnswer(200, "{}"));
  Answer(Get(*server));
  HttpRequest once = Get(*server);
  once.repeatable = false;
  Answer(std::move(once));
  EXPECT_EQ(server->connections(), 2);
  Answer(Get(*server));
  EXPECT_EQ(server->connections(), 2);
}

TEST_F(HttpClientPoolTest, OldConnectionMakesRoomForAFreshOne) {
  options_.max_idle_time_unrepeatable = absl::ZeroDuration();
  options_.max_connections = 1;
  const auto server = RawServer::Always(RawAnswer(200, "{}"));
  for (int i = 0; i < 2; ++i) {
    HttpRequest once = Get(*server);
    once.repeatable = false;
    Answer(std::move(once));
  }
  EXPECT_EQ(server->connections(), 2);
  EXPECT_EQ(Stats().connections, 1u);
}

TEST_F(HttpClientPoolTest, IdleConnectionsAreClosedInTime) {
  options_.max_idle_time = absl::Milliseconds(20);
  const auto server = RawServer::Always(RawAnswer(200, "{}"));
  Answer(Get(*server));
  server->WaitForEnded(1);
  WaitForNoConnections();
}

TEST_F(HttpClientPoolTest, IdleConnectionsAreLimited) {
  options_.max_idle = 1;
  RawServer server([](RawPeer& peer, int) {
    while (!peer.ReadRequest().empty()) peer.Write(RawAnswer(200, "{}"));
  });
  Outcome one;
  Outcome two;
  OnLoop(loop_, [&] {
    client().Send(Get(server), [&](HttpOutcome o) { one.Set(std::move(o)); });
    client().Send(Get(server), [&](HttpOutcome o) { two.Set(std::move(o)); });
    EXPECT_EQ(client().Stats().in_flight, 2u);
  });
  one.Take();
  two.Take();
  EXPECT_EQ(Stats().connections, 1u);
  EXPECT_EQ(Stats().idle, 1u);
}

TEST_F(HttpClientPoolTest, IdleConnectionsAreLimitedOverAllOrigins) {
  options_.max_total_idle = 1;
  const auto one = RawServer::Always(RawAnswer(200, "{}"));
  const auto two = RawServer::Always(RawAnswer(200, "{}"));
  Answer(Get(*one));
  Answer(Get(*two));
  EXPECT_EQ(Stats().connections, 1u);
  Answer(Get(*one));
  EXPECT_EQ(one->connections(), 1);
}

TEST_F(HttpClientPoolTest, WaitingRequestsAreServedInOrder) {
  options_.max_connections = 1;
  std::vector<std::string> seen;
  RawServer server([&](RawPeer& peer, int) {
    for (;;) {
      const std::string request = peer.ReadRequest();
      if (request.empty()) return;
      seen.push_back(request.substr(0, request.find(" HTTP")));
      peer.Write(RawAnswer(200, "{}"));
    }
  });
  Outcome last;
  OnLoop(loop_, [&] {
    client().Send(Get(server, "/1"), [](HttpOutcome) {});
    client().Send(Get(server, "/2"), [](HttpOutcome) {});
    client().Send(Get(server, "/3"),
                  [&](HttpOutcome o) { last.Set(std::move(o)); });
  });
  AnswerOf(last.Take());
  EXPECT_EQ(server.connections(), 1);
  OnLoop(loop_, [&] { client_.reset(); });
  server.WaitForEnded(1);
  EXPECT_THAT(seen, ElementsAre("GET /1", "GET /2", "GET /3"));
}

TEST_F(HttpClientPoolTest, TooManyWaitingAreOverloadedButNotInsideSend) {
  options_.max_connections = 1;
  options_.max_waiting = 1;
  RawServer server([](RawPeer& peer, int) { peer.WaitForClose(); });
  Outcome outcome;
  OnLoop(loop_, [&] {
    client().Send(Get(server), [](HttpOutcome) {});
    client().Send(Get(server), [](HttpOutcome) {});
    client().Send(Get(server),
                  [&](HttpOutcome o) { outcome.Set(std::move(o)); });
    EXPECT_FALSE(outcome.ready());
  });
  const HttpError error = ErrorOf(outcome.Take());
  EXPECT_EQ(error.kind, HttpError::Kind::kOverloaded);
  EXPECT_FALSE(error.sent);
  EXPECT_EQ(error.message,
            absl::StrCat("send request to 127.0.0.1:", server.port(),
                         ": 1 requests wait for a connection"));
}

TEST_F(HttpClientPoolTest, OverloadedRequestCanBeCancelled) {
  options_.max_connections = 1;
  options_.max_waiting = 0;
  RawServer server([](RawPeer& peer, int) { peer.WaitForClose(); });
  absl::Notification later;
  OnLoop(loop_, [&] {
    client().Send(Get(server), [](HttpOutcome) {});
    const RequestId id =
        client().Send(Get(server), [](HttpOutcome) { ADD_FAILURE(); });
    EXPECT_FALSE(client().Cancel(id).sent);
    loop_.RunAfter(absl::ZeroDuration(), [&] { later.Notify(); });
  });
  later.WaitForNotification();
}

TEST_F(HttpClientPoolTest, WaitingRequestTimesOutUnsent) {
  options_.max_connections = 1;
  RawServer server([](RawPeer& peer, int) { peer.WaitForClose(); });
  OnLoop(loop_, [&] { client().Send(Get(server), [](HttpOutcome) {}); });
  HttpRequest request = Get(server);
  request.timeout = absl::Milliseconds(5);
  const HttpError error = Error(std::move(request));
  EXPECT_EQ(error.kind, HttpError::Kind::kOverloaded);
  EXPECT_FALSE(error.sent);
  EXPECT_EQ(error.message,
            absl::StrCat("send request to 127.0.0.1:", server.port(),
                         ": all 1 connections to it were taken within 5ms"));
}

TEST_F(HttpClientPoolTest, CancelledRequestLeavesTheQueue) {
  options_.max_connections = 1;
  RawServer server([](RawPeer& peer, int) { peer.WaitForClose(); });
  OnLoop(loop_, [&] {
    client().Send(Get(server), [](HttpOutcome) {});
    const RequestId waiting =
        client().Send(Get(server), [](HttpOutcome) { ADD_FAILURE(); });
    EXPECT_FALSE(client().Cancel(waiting).sent);
    EXPECT_EQ(client().Stats().in_flight, 1u);
  });
}

TEST_F(HttpClientPoolTest, WaitingRequestInheritsTheRoomOfALostConnection) {
  options_.max_connections = 1;
  RawServer server([](RawPeer& peer, int index) {
    peer.ReadRequest();
    if (index > 0) peer.Write(RawAnswer(200, "second"));
  });
  Outcome first;
  Outcome second;
  OnLoop(loop_, [&] {
    client().Send(Get(server), [&](HttpOutcome o) { first.Set(std::move(o)); });
    client().Send(Get(server),
                  [&](HttpOutcome o) { second.Set(std::move(o)); });
  });
  EXPECT_EQ(ErrorOf(first.Take()).kind, HttpError::Kind::kConnectionLost);
  EXPECT_EQ(AnswerOf(second.Take()).body, "second");
}

TEST_F(HttpClientPoolTest, WaitingRequestInheritsTheRoomOfACancelledOne) {
  options_.max_connections = 1;
  absl::Notification arrived;
  RawServer server([&](RawPeer& peer, int index) {
    peer.ReadRequest();
    if (index > 0) return peer.Write(RawAnswer(200, "second"));
    arrived.Notify();
    peer.WaitForClose();
  });
  Outcome second;
  const RequestId first = OnLoop(loop_, [&] {
    const RequestId id =
        client().Send(Get(server), [](HttpOutcome) { ADD_FAILURE(); });
    client().Send(Get(server),
                  [&](HttpOutcome o) { second.Set(std::move(o)); });
    return id;
  });
  arrived.WaitForNotification();
  EXPECT_TRUE(Cancel(first));
  EXPECT_EQ(AnswerOf(second.Take()).body, "second");
}

TEST_F(HttpClientPoolTest, EachWaitingRequestHearsThatNobodyListens) {
  options_.max_connections = 1;
  Origin nobody;
  {
    nobody = RawServer([](RawPeer&, int) {}).origin();
  }
  Outcome outcomes[3];
  OnLoop(loop_, [&] {
    for (Outcome& outcome : outcomes) {
      client().Send({.origin = nobody},
                    [&outcome](HttpOutcome o) { outcome.Set(std::move(o)); });
    }
  });
  for (Outcome& outcome : outcomes) {
    EXPECT_EQ(ErrorOf(outcome.Take()).kind, HttpError::Kind::kUnreachable);
  }
  EXPECT_EQ(Stats().connections, 0u);
}

TEST_F(HttpClientPoolTest, ManyRequestsShareFewConnections) {
  options_.max_connections = 8;
  const auto server = RawServer::Always(RawAnswer(200, "{}"));
  constexpr int kRequests = 2000;
  int answered = 0;
  absl::Notification done;
  OnLoop(loop_, [&] {
    for (int i = 0; i < kRequests; ++i) {
      client().Send(Get(*server), [&](HttpOutcome o) {
        AnswerOf(std::move(o));
        if (++answered == kRequests) done.Notify();
      });
    }
  });
  done.WaitForNotification();
  EXPECT_LE(server->connections(), 8);
  EXPECT_EQ(Stats().in_flight, 0u);
}

}  // namespace
}  // namespace coord
