// Everything bad that a node may answer, over real gRPC and real sockets: each
// is accounted for with reason, certainty and text, and one good node beside it
// is a result all the same.
#include <functional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/http/router.h"
#include "tests/support/cluster_fixture.h"

namespace coord {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr char kGood[] = R"({"data":[1],"server":{"serverId":"bad"}})";

RawServer::Script Answering(std::string bytes) {
  return [bytes = std::move(bytes)](RawPeer& peer, int) {
    while (!peer.ReadRequest().empty()) peer.Write(bytes);
  };
}

// Answers once and closes.
RawServer::Script AnsweringAndClosing(std::string bytes) {
  return [bytes = std::move(bytes)](RawPeer& peer, int) {
    if (!peer.ReadRequest().empty()) peer.Write(bytes);
  };
}

class BadAnswerTest : public ClusterTest {
 protected:
  BadAnswerTest() { AddNode("good"); }

  pb::FanOutResponse Call() {
    pb::FanOutRequest request = GetCall("/info");
    request.mutable_retry()->set_max_attempts(1);
    auto response = FanOut(request);
    EXPECT_TRUE(response.ok()) << response.status();
    if (!response.ok()) return {};
    EXPECT_EQ(response->expected_count(), 2);
    EXPECT_EQ(response->results_size() + response->failures_size(), 2);
    return *std::move(response);
  }

  // The failure of the server `bad`; the other one is a result.
  pb::FanOutFailure Failure() {
    const pb::FanOutResponse response = Call();
    EXPECT_EQ(response.verdict(), pb::VERDICT_PARTIAL);
    EXPECT_EQ(response.data_json(), R"([{"id":"good"}])");
    if (response.failures_size() != 1) return {};
    EXPECT_EQ(response.failures(0).server_id(), "bad");
    EXPECT_THAT(response.failures(0).message(), StartsWith("call bad: "));
    return response.failures(0);
  }

  // The result of the server `bad`, which is complete all the same.
  pb::FanOutResult Result(const std::string& data) {
    const pb::FanOutResponse response = Call();
    EXPECT_EQ(response.verdict(), pb::VERDICT_COMPLETE);
    EXPECT_EQ(response.data_json(), data);
    if (response.results_size() != 2) return {};
    EXPECT_EQ(response.results(0).server_id(), "bad");
    return response.results(0);
  }
};

TEST_F(BadAnswerTest, AnnouncedJsonThatIsNone) {
  AddRawNode("bad", Answering(RawAnswer(200, "<html>")));
  const pb::FanOutFailure failure = Failure();
  EXPECT_EQ(failure.reason(), pb::FAILURE_REASON_BAD_BODY);
  EXPECT_EQ(failure.certainty(), pb::CERTAINTY_ANSWERED);
  EXPECT_EQ(failure.http_status(), 200);
  EXPECT_EQ(failure.body(), "<html>");
  EXPECT_THAT(failure.message(),
              EndsWith("its answer is not the JSON that it announces"));
}

TEST_F(BadAnswerTest, AnnouncedJsonThatIsNotUtf8) {
  AddRawNode("bad", Answering(RawAnswer(200, "{\"data\":\"\xff\"}")));
  EXPECT_EQ(Failure().reason(), pb::FAILURE_REASON_BAD_BODY);
}

TEST_F(BadAnswerTest, TextIsAResultWithItsBody) {
  AddRawNode("bad", Answering("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n"
                              "content-length: 5\r\n\r\nhello"));
  const pb::FanOutResult result = Result(R"([{"id":"good"}])");
  EXPECT_EQ(result.body(), "hello");
}

TEST_F(BadAnswerTest, CutShort) {
  AddRawNode("bad",
             AnsweringAndClosing("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n"
                                 "content-type: application/json\r\n\r\n{"));
  const pb::FanOutFailure failure = Failure();
  EXPECT_EQ(failure.reason(), pb::FAILURE_REASON_CONNECTION_LOST);
  EXPECT_EQ(failure.http_status(), 0);
  EXPECT_THAT(failure.message(), HasSubstr("read answer from 127.0.0.1:"));
}

TEST_F(BadAnswerTest, NothingButAClosedConnection) {
  AddRawNode("bad", [](RawPeer& peer, int) { peer.ReadRequest(); });
  const pb::FanOutFailure failure = Failure();
  EXPECT_EQ(failure.reason(), pb::FAILURE_REASON_CONNECTION_LOST);
  EXPECT_EQ(failure.certainty(), pb::CERTAINTY_MAYBE_EXECUTED);
}

TEST_F(BadAnswerTest, AResetConnection) {
  AddRawNode("bad", [](RawPeer& peer, int) {
    peer.ReadRequest();
    peer.ResetAtEnd();
  });
  const pb::FanOutFailure failure = Failure();
  EXPECT_EQ(failure.reason(), pb::FAILURE_REASON_CONNECTION_LOST);
  EXPECT_EQ(failure.certainty(), pb::CERTAINTY_MAYBE_EXECUTED);
}

TEST_F(BadAnswerTest, NotHttp) {
  AddRawNode("bad", Answering("SSH-2.0-OpenSSH_9.2\r\n\r\n"));
  const pb::FanOutFailure failure = Failure();
  EXPECT_EQ(failure.reason(), pb::FAILURE_REASON_BAD_BODY);
  EXPECT_THAT(failure.message(), HasSubstr("malformed answer"));
}

TEST_F(BadAnswerTest, WithoutServerFromANodeThatMustNameItself) {
  AddNode("bad").AnswerBy([](HttpServerRequest, HttpReply reply) {
    std::move(reply)(JsonAnswer(200, R"({"data":[1]})"));
  });
  const pb::FanOutFailure failure = Failure();
  EXPECT_EQ(failure.reason(), pb::FAILURE_REASON_WRONG_SERVER);
  EXPECT_EQ(failure.certainty(), pb::CERTAINTY_ANSWERED);
  EXPECT_THAT(failure.message(),
              EndsWith("its answer does not name the server"));
}

TEST_F(BadAnswerTest, WithoutServerFromAServerThatNeedNot) {
  AddRawNode("bad", Answering(RawAnswer(200, R"({"data":[1]})")));
  Result(R"([1,{"id":"good"}])");
}

TEST_F(BadAnswerTest, AnotherServer) {
  AddRawNode("bad", Answering(RawAnswer(
                        200, R"({"data":[1],"server":{"serverId":"who"}})")));
  const pb::FanOutFailure failure = Failure();
  EXPECT_EQ(failure.reason(), pb::FAILURE_REASON_WRONG_SERVER);
  EXPECT_THAT(failure.message(), EndsWith("who answered in its place"));
}

TEST_F(BadAnswerTest, FiftyMegabytes) {
  absl::Notification given_up;
  AddRawNode("bad", [&given_up](RawPeer& peer, int) {
    peer.ReadRequest();
    peer.Write(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
        "content-length: 50000000\r\n\r\n");
    const std::string megabyte(1'000'000, ' ');
    for (int i = 0; i < 50; ++i) peer.Write(megabyte);
    peer.WaitForClose();
    given_up.Notify();
  });
  const pb::FanOutFailure failure = Failure();
  EXPECT_EQ(failure.reason(), pb::FAILURE_REASON_TOO_LARGE);
  EXPECT_THAT(failure.message(), HasSubstr("body is over 3145728 bytes"));
  given_up.WaitForNotification();
}

TEST_F(BadAnswerTest, FiftyMegabytesWithoutALength) {
  AddRawNode("bad", [](RawPeer& peer, int) {
    peer.ReadRequest();
    peer.Write(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
        "transfer-encoding: chunked\r\n\r\n");
    const std::string chunk =
        absl::StrCat("f4240\r\n", std::string(1'000'000, ' '), "\r\n");
    for (int i = 0; i < 50; ++i) peer.Write(chunk);
    peer.WaitForClose();
  });
  EXPECT_EQ(Failure().reason(), pb::FAILURE_REASON_TOO_LARGE);
}

TEST_F(BadAnswerTest, HttpOneZeroIsUnderstood) {
  AddRawNode("bad", AnsweringAndClosing(absl::StrCat(
                        "HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n"
                        "\r\n",
                        kGood)));
  Result(R"([1,{"id":"good"}])");
}

TEST_F(BadAnswerTest, NoContentIsAResultWithoutData) {
  AddRawNode("bad", Answering("HTTP/1.1 204 No Content\r\n\r\n"));
  const pb::FanOutResult result = Result(R"([{"id":"good"}])");
  EXPECT_EQ(result.http_status(), 204);
  EXPECT_EQ(result.body(), "");
}

TEST_F(BadAnswerTest, RedirectsAreNotFollowed) {
  HttpNode& elsewhere = *nodes_.front();
  AddRawNode(
      "bad",
      Answering(RawAnswer(
          307, "", absl::StrCat("location: ", elsewhere.base_url(), "/\r\n"))));
  const pb::FanOutFailure failure = Failure();
  EXPECT_EQ(failure.reason(), pb::FAILURE_REASON_HTTP_STATUS);
  EXPECT_EQ(failure.http_status(), 307);
  EXPECT_EQ(failure.certainty(), pb::CERTAINTY_ANSWERED);
  EXPECT_THAT(failure.message(), EndsWith("answered 307"));
  EXPECT_EQ(elsewhere.calls(), 1);
}

TEST_F(BadAnswerTest, AServerErrorIsAnAnswer) {
  AddRawNode("bad", Answering(RawAnswer(503, R"({"statusCode":503})")));
  const pb::FanOutFailure failure = Failure();
  EXPECT_EQ(failure.reason(), pb::FAILURE_REASON_HTTP_STATUS);
  EXPECT_EQ(failure.http_status(), 503);
  EXPECT_EQ(failure.body(), R"({"statusCode":503})");
}

TEST_F(BadAnswerTest, AHeaderBlockWithoutEnd) {
  AddRawNode("bad", [](RawPeer& peer, int) {
    peer.ReadRequest();
    peer.Write("HTTP/1.1 200 OK\r\n");
    const std::string line =
        absl::StrCat("x-a: ", std::string(1000, 'a'), "\r\n");
    for (int i = 0; i < 1000; ++i) peer.Write(line);
    peer.WaitForClose();
  });
  const pb::FanOutFailure failure = Failure();
  EXPECT_EQ(failure.reason(), pb::FAILURE_REASON_TOO_LARGE);
  EXPECT_THAT(failure.message(), HasSubstr("headers are over 65536 bytes"));
}

TEST_F(BadAnswerTest, HeadersThatAreNotAsciiAreEscaped) {
  AddRawNode("bad", Answering(RawAnswer(200, kGood, "x-a: caf\xc3\xa9\r\n")));
  const pb::FanOutResult result = Result(R"([1,{"id":"good"}])");
  bool found = false;
  for (const pb::Header& header : result.headers()) {
    if (header.name() != "x-a") continue;
    found = true;
    EXPECT_EQ(header.value(), "caf%C3%A9");
  }
  EXPECT_TRUE(found);
}

TEST_F(BadAnswerTest, SilenceEndsWithTheAttempt) {
  AddRawNode("bad", [](RawPeer& peer, int) {
    peer.ReadRequest();
    peer.WaitForClose();
  });
  pb::FanOutRequest request = GetCall("/info");
  request.mutable_retry()->set_max_attempts(1);
  request.mutable_attempt_timeout()->set_nanos(200'000'000);
  const auto response = FanOut(request);
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_EQ(response->failures_size(), 1);
  EXPECT_EQ(response->failures(0).reason(), pb::FAILURE_REASON_TIMEOUT);
  EXPECT_EQ(response->failures(0).certainty(), pb::CERTAINTY_MAYBE_EXECUTED);
  EXPECT_THAT(response->failures(0).message(),
              EndsWith("no answer within 200ms"));
}

TEST_F(BadAnswerTest, NobodyThere) {
  const auto registered =
      Register(Registration("bad", "http://127.0.0.1:1", false));
  ASSERT_TRUE(registered.ok()) << registered.status();
  const pb::FanOutFailure failure = Failure();
  EXPECT_EQ(failure.reason(), pb::FAILURE_REASON_UNREACHABLE);
  EXPECT_EQ(failure.certainty(), pb::CERTAINTY_NOT_SENT);
  EXPECT_THAT(failure.message(),
              EndsWith("connect 127.0.0.1:1: connection refused"));
}

}  // namespace
}  // namespace coord
