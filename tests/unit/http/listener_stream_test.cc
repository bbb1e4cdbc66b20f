// Bodies that the listener passes on while they arrive.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "server/http/listener.h"
#include "tests/support/fed_source.h"
#include "tests/unit/http/listener_fixture.h"

namespace coord {
namespace {

using ::testing::EndsWith;

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

class StreamedAnswerTest : public HttpListenerTest {
 protected:
  // Answers all requests by the same feed, but `/whole` by "whole".
  void StartFed(std::optional<std::uint64_t> length = std::nullopt,
                int status = 200) {
    Start([this, length, status](HttpServerRequest request, HttpReply reply) {
      if (request.path == "/whole") {
        return std::move(reply)({200, {}, "whole"});
      }
      std::move(reply)(
          {status, {}, "", std::make_unique<FedSource>(feed_, length)});
    });
  }

  // Sends a request and returns the head of the answer.
  static std::string Ask(RawClient& client, std::string_view request = kGet) {
    client.Write(request);
    return client.ReadUntil("\r\n\r\n");
  }

  const std::shared_ptr<Feed> feed_ = std::make_shared<Feed>(loop_);
};

TEST_F(StreamedAnswerTest, EachPieceIsAChunkAndLeavesAtOnce) {
  StartFed();
  RawClient client = Connect();
  EXPECT_EQ(Ask(client),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  feed_->Push("first piece, long");
  EXPECT_EQ(client.ReadUntil("long\r\n"), "11\r\nfirst piece, long\r\n");
  feed_->Push("2");
  EXPECT_EQ(client.ReadUntil("2\r\n"), "1\r\n2\r\n");
  feed_->Push("");
  EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "0\r\n\r\n");
  feed_->WaitForEnd();
  // The connection is kept.
  client.Write("GET /whole HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.ReadAll(), EndsWith("\r\n\r\nwhole"));
}

TEST_F(StreamedAnswerTest, AnAnnouncedLengthIsPassedOn) {
  StartFed(4);
  RawClient client = Connect();
  EXPECT_EQ(Ask(client), "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
  feed_->Push("ab");
  EXPECT_EQ(client.ReadUntil("b"), "ab");
  // What the client asks for meanwhile waits.
  client.Write("GET /whole HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  feed_->Push("cd");
  feed_->Push("");
  const std::string rest = client.ReadAll();
  EXPECT_THAT(rest, ::testing::StartsWith("cdHTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(rest, EndsWith("\r\n\r\nwhole"));
}

TEST_F(StreamedAnswerTest, AnOldClientReadsToTheEndOfTheConnection) {
  StartFed();
  RawClient client = Connect();
  EXPECT_EQ(Ask(client, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
  feed_->Push("ab");
  feed_->Push("cd");
  feed_->Push("");
  EXPECT_EQ(client.ReadAll(), "abcd");
}

TEST_F(StreamedAnswerTest, NoBodyGoesWhereNoneMayBe) {
  StartFed(std::nullopt, 204);
  RawClient client = Connect();
  EXPECT_EQ(Ask(client), "HTTP/1.1 204 No Content\r\n\r\n");
  feed_->WaitForEnd();
}

TEST_F(StreamedAnswerTest, NoBodyGoesToHead) {
  StartFed(5);
  RawClient client = Connect();
  EXPECT_EQ(Ask(client, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"),
            "HTTP/1.1 200 OK\r\n\r\n");
  feed_->WaitForEnd();
}

TEST_F(StreamedAnswerTest, ABrokenBodyNeverLooksWhole) {
  StartFed();
  RawClient client = Connect();
  Ask(client);
  feed_->Push("ab");
  EXPECT_EQ(client.ReadUntil("ab\r\n"), "2\r\nab\r\n");
  feed_->Push(absl::UnavailableError("cut"));
  EXPECT_EQ(client.ReadAll(), "");
}

TEST_F(StreamedAnswerTest, ABrokenBodyResetsAClientThatReadsToTheEnd) {
  StartFed();
  RawClient client = Connect();
  Ask(client, "GET / HTTP/1.0\r\n\r\n");
  feed_->Push("ab");
  EXPECT_EQ(client.ReadUntil("ab"), "ab");
  feed_->Push(absl::UnavailableError("cut"));
  client.WaitForHangUp();
  EXPECT_TRUE(client.WasReset());
}

TEST_F(StreamedAnswerTest, AClientThatLeavesGivesTheBodyUp) {
  StartFed();
  RawClient client = Connect();
  Ask(client);
  client.Close();
  feed_->WaitForEnd();
}

TEST_F(StreamedAnswerTest, AClientThatDoesNotReadStopsTheSource) {
  // Gives pieces for as long as it is asked.
  struct Endless final : BodySource {
    Endless(int& given, absl::Notification& ended)
        : BodySource(std::nullopt), given_(given), ended_(ended) {}
    ~Endless() override { ended_.Notify(); }
    void Read(Done done) override {
      ++given_;
      std::move(done)(std::string(64 << 10, 'x'));
    }
    int& given_;
    absl::Notification& ended_;
  };
  options_.slow_client_timeout = absl::Milliseconds(20);
  int given = 0;
  absl::Notification ended;
  Start([&](HttpServerRequest, HttpReply reply) {
    std::move(reply)({200, {}, "", std::make_unique<Endless>(given, ended)});
  });
  RawClient client = Connect();
  client.Write(kGet);
  // By the timeout; a source that were not stopped would never end.
  ended.WaitForNotification();
  EXPECT_LT(OnLoop(loop_, [&] { return given; }), 1000);
}

TEST_F(StreamedAnswerTest, StopWaitsForAnAnswerUnderWay) {
  StartFed();
  RawClient client = Connect();
  Ask(client);
  absl::Notification stopped;
  listener_->Stop(absl::InfiniteDuration(), [&] { stopped.Notify(); });
  OnLoop(loop_, [] {});
  feed_->Push("last");
  feed_->Push("");
  EXPECT_EQ(client.ReadAll(), "4\r\nlast\r\n0\r\n\r\n");
  stopped.WaitForNotification();
}

TEST_F(StreamedAnswerTest, StopGivesUpWhatIsLeftAfterItsGrace) {
  StartFed();
  RawClient client = Connect();
  Ask(client);
  absl::Notification stopped;
  listener_->Stop(absl::ZeroDuration(), [&] { stopped.Notify(); });
  stopped.WaitForNotification();
  feed_->WaitForEnd();
  EXPECT_EQ(client.ReadAll(), "");
}

// The answer does not fit the socket at once; the request after it comes in two
// parts.
TEST_F(HttpListenerTest, ARequestAfterAnAnswerThatHadToWaitIsWhole) {
  Start([](HttpServerRequest request, HttpReply reply) {
    std::move(reply)({200,
                      {},
                      request.body.empty() ? std::string(32 << 20, 'x') + "end"
                                           : request.body});
  });
  RawClient client = Connect();
  client.Write(kGet);
  client.ReadUntil("end");
  client.Write(
      "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
      "Connection: close\r\nContent-Length: 5\r\n\r\n");
  client.ReadUntil("100 Continue\r\n\r\n");
  client.Write("hello");
  EXPECT_THAT(client.ReadAll(), EndsWith("\r\n\r\nhello"));
}

}  // namespace
}  // namespace coord
