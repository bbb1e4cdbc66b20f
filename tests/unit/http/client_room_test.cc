// Answers that are held up while there is no room for them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/http/client_fixture.h"

namespace coord {
namespace {

// Gives what the test lets it give. On the loop.
class TestRoom final : public AnswerRoom {
 public:
  bool MayGrow(std::uint64_t key, std::size_t bytes) override {
    EXPECT_EQ(key, 7u);
    asked += bytes;
    if (asked <= room) return true;
    if (!refused.HasBeenNotified()) refused.Notify();
    return false;
  }

  std::size_t room = 0;
  std::size_t asked = 0;
  absl::Notification refused;
};

class AnswerRoomTest : public HttpClientTest {
 protected:
  HttpRequest Request(const RawServer& server) {
    HttpRequest request = Get(server);
    request.room = &room_;
    request.room_key = 7;
    return request;
  }

  TestRoom room_;
};

TEST_F(AnswerRoomTest, SmallAnswersAskForNone) {
  const auto server = RawServer::Always(RawAnswer(200, "{}"));
  EXPECT_EQ(AnswerOf(Fetch(Request(*server))).body, "{}");
  EXPECT_EQ(OnLoop(loop_, [this] { return room_.asked; }), 0u);
}

TEST_F(AnswerRoomTest, LargeAnswersAskForAllThatTheyBring) {
  const std::string body(1 << 20, 'x');
  const auto server = RawServer::Always(RawAnswer(200, body));
  room_.room = 2 << 20;
  EXPECT_EQ(AnswerOf(Fetch(Request(*server))).body, body);
  EXPECT_GE(OnLoop(loop_, [this] { return room_.asked; }),
            body.size() - kUnaskedAnswerBytes);
}

TEST_F(AnswerRoomTest, AnswerThatFindsNoRoomIsNotReadUntilItMayGoOn) {
  const std::string body(16 << 20, 'x');
  absl::Notification sent;
  RawServer server([&](RawPeer& peer, int) {
    peer.ReadRequest();
    peer.Write(RawAnswer(200, body));
    sent.Notify();
    peer.WaitForClose();
  });
  HttpRequest request = Request(server);
  request.max_body_bytes = body.size();
  Outcome outcome;
  const RequestId id = Send(std::move(request), outcome);
  room_.refused.WaitForNotification();
  // More than the system's buffers hold: it can't send all.
  EXPECT_FALSE(outcome.ready());
  EXPECT_FALSE(sent.HasBeenNotified());
  OnLoop(loop_, [&] {
    room_.room = 2 * body.size();
    client().GoOn(id);
    client().GoOn(id);
  });
  EXPECT_EQ(AnswerOf(outcome.Take()).body, body);
}

TEST_F(AnswerRoomTest, AnswerThatIsHeldUpCanBeCancelled) {
  RawServer server([&](RawPeer& peer, int) {
    peer.ReadRequest();
    peer.Write(RawAnswer(200, std::string(1 << 20, 'x')));
    peer.WaitForClose();
  });
  Outcome outcome;
  const RequestId id = Send(Request(server), outcome);
  room_.refused.WaitForNotification();
  EXPECT_TRUE(Cancel(id));
  OnLoop(loop_, [&] { client().GoOn(id); });
  server.WaitForEnded(1);
  EXPECT_FALSE(outcome.ready());
  EXPECT_EQ(Stats().connections, 0u);
}

}  // namespace
}  // namespace coord
