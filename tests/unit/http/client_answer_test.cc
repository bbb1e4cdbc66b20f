// How the client understands what servers send.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/http/client.h"
#include "tests/unit/http/client_fixture.h"

namespace coord {
namespace {

using ::testing::HasSubstr;

class HttpClientAnswerTest : public HttpClientTest {
 protected:
  // What the client makes of a server that sends `bytes` and closes.
  HttpOutcome Play(std::string bytes, std::size_t max_body_bytes = 3 << 20) {
    HttpRequest request;
    request.max_body_bytes = max_body_bytes;
    return Play(std::move(bytes), std::move(request));
  }
  HttpOutcome Play(std::string bytes, HttpRequest request) {
    RawServer server([&](RawPeer& peer, int) {
      peer.ReadRequest();
      peer.Write(bytes);
    });
    request.origin = server.origin();
    return Fetch(std::move(request));
  }

  // Connections that two requests need when the first is answered by `bytes`.
  int ConnectionsForTwo(const std::string& bytes, std::string method = "GET") {
    const auto server = RawServer::Always(bytes);
    for (int i = 0; i < 2; ++i) {
      HttpRequest request = Get(*server);
      request.method = method;
      AnswerOf(Fetch(std::move(request)));
    }
    return server->connections();
  }
};

TEST_F(HttpClientAnswerTest, ChunkedBodyIsJoinedAndTrailersAreDropped) {
  const HttpResponse response = AnswerOf(
      Play("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
           "3;x=\"y\"\r\nabc\r\n0a\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n"));
  EXPECT_EQ(response.body, "abc0123456789");
  EXPECT_EQ(response.headers.size(), 1u);
}

TEST_F(HttpClientAnswerTest, BodyMayEndWithTheConnection) {
  for (const char* version : {"HTTP/1.1", "HTTP/1.0"}) {
    EXPECT_EQ(
        AnswerOf(Play(absl::StrCat(version, " 200 OK\r\n\r\nall of it"))).body,
        "all of it");
    EXPECT_EQ(AnswerOf(Play(absl::StrCat(version, " 200 OK\r\n\r\n"))).body, "")
        << version;
  }
}

TEST_F(HttpClientAnswerTest, InterimAnswersAreSkipped) {
  const HttpResponse response =
      AnswerOf(Play("HTTP/1.1 100 Continue\r\n\r\n"
                    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
                    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "ok");
  EXPECT_EQ(FindHeader(response.headers, "link"), "");
}

TEST_F(HttpClientAnswerTest, EndlessInterimAnswersAreRefused) {
  std::string flood;
  for (int i = 0; i < 1000; ++i) flood += "HTTP/1.1 100 Continue\r\n\r\n";
  const HttpError error = ErrorOf(Play(flood));
  EXPECT_EQ(error.kind, HttpError::Kind::kBadResponse);
  EXPECT_FALSE(error.answered);
}

TEST_F(HttpClientAnswerTest, AnswerInSingleBytesIsWhole) {
  const std::vector<std::string> answers = {
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
      "X-A: b\r\nContent-Length: 4\r\n\r\nbody",
      "HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n"
      "2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n"};
  for (const std::string& answer : answers) {
    RawServer server([&](RawPeer& peer, int) {
      peer.ReadRequest();
      for (const char c : answer) peer.Write({&c, 1});
      peer.WaitForClose();
    });
    const HttpResponse response = Answer(Get(server));
    EXPECT_EQ(response.body, "body");
    EXPECT_EQ(FindHeader(response.headers, "x-a"), "b");
    EXPECT_EQ(Stats().idle, 1u);
    OnLoop(loop_, [&] { client_.reset(); });
  }
}

TEST_F(HttpClientAnswerTest, WholeAnswersLeaveTheConnectionUsable) {
  EXPECT_EQ(ConnectionsForTwo(RawAnswer(200, "{}")), 1);
  EXPECT_EQ(ConnectionsForTwo(RawAnswer(500, "")), 1);
  EXPECT_EQ(ConnectionsForTwo("HTTP/1.1 204 No Content\r\n\r\n"), 1);
  EXPECT_EQ(ConnectionsForTwo(
                "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"),
            1);
  EXPECT_EQ(
      ConnectionsForTwo("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "1\r\na\r\n0\r\n\r\n"),
      1);
  EXPECT_EQ(ConnectionsForTwo("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"
                              "Content-Length: 0\r\n\r\n"),
            1);
  EXPECT_EQ(
      ConnectionsForTwo("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "HEAD"),
      1);
}

TEST_F(HttpClientAnswerTest, ConnectionIsNotReusedWhenTheServerSaysSo) {
  EXPECT_EQ(ConnectionsForTwo(RawAnswer(200, "{}", "Connection: close\r\n")),
            2);
  EXPECT_EQ(ConnectionsForTwo("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
            2);
}

TEST_F(HttpClientAnswerTest, BytesAfterTheAnswerMakeTheConnectionUseless) {
  EXPECT_EQ(ConnectionsForTwo(RawAnswer(200, "{}") + "x"), 2);
  EXPECT_EQ(ConnectionsForTwo(RawAnswer(200, "{}") + RawAnswer(200, "{}")), 2);
}

TEST_F(HttpClientAnswerTest, MalformedHeadIsBadAndUnanswered) {
  const std::vector<std::string> heads = {
      "SSH-2.0-OpenSSH\r\n\r\n",
      "HTTP/2.0 200 OK\r\n\r\n",
      "HTTP/1.1 abc OK\r\n\r\n",
      "HTTP/1.1 099 X\r\n\r\n",
      "HTTP/1.1 101 Switching Protocols\r\n\r\n",
      "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
      "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
      "HTTP/1.1 200 X\r\nContent-Length:1\r\nTransfer-Encoding:chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"};
  for (const std::string& head : heads) {
    const HttpError error = ErrorOf(Play(head));
    EXPECT_EQ(error.kind, HttpError::Kind::kBadResponse) << head;
    EXPECT_TRUE(error.sent) << head;
    EXPECT_FALSE(error.answered) << head;
    EXPECT_THAT(error.message, HasSubstr(": malformed answer: "));
  }
}

// As curl reads them.
TEST_F(HttpClientAnswerTest, CarelessServersAreUnderstood) {
  for (const char* bytes :
       {"HTTP/1.1 200\r\nContent-Length: 4\r\n\r\nbody",
        "HTTP/1.1  200  OK\nContent-Length : 4\n\nbody",
        "HTTP/1.1 200 OK\r\r\nContent-Length: 4\r\r\n\r\r\nbody",
        "HTTP/1.1 100\r\n\r\nHTTP/1.1 200\r\nContent-Length: 4\r\n\r\nbody",
        "HTTP/1.1 200 O\x01K\r\nContent-Length: 4\r\nConnection: a;\r\n"
        "X: \x01\r\n(y): z\r\nTransfer-Encoding: identity\r\n\r\nbody",
        "HTTP/1.1 200\nTransfer-Encoding: chunked\n\n4  \nbody\n0\n\n"}) {
    const HttpResponse response = AnswerOf(Play(bytes));
    EXPECT_EQ(response.status, 200) << bytes;
    EXPECT_EQ(response.body, "body") << bytes;
    EXPECT_EQ(ConnectionsForTwo(bytes), 1) << bytes;
  }
}

TEST_F(HttpClientAnswerTest, EmptyLinesBeforeAnAnswerAreSkipped) {
  const std::string answer = RawAnswer(200, "{}");
  EXPECT_EQ(AnswerOf(Play("\r\n\n\r\r\n" + answer)).body, "{}");
  RawServer server([&](RawPeer& peer, int) {
    peer.ReadRequest();
    for (const char c : "\r\n" + answer) peer.Write({&c, 1});
    peer.WaitForClose();
  });
  EXPECT_EQ(Answer(Get(server)).body, "{}");
}

TEST_F(HttpClientAnswerTest, AByteOfWhateverAnswerIsHeard) {
  const std::string much(70 << 10, 'x');
  for (const std::string& bytes :
       {std::string("H"), std::string("SSH-2.0\r\n"), std::string(1, '\0'),
        std::string("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"),
        absl::StrCat("HTTP/1.1 200 OK\r\nA: ", much, "\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc")}) {
    EXPECT_TRUE(ErrorOf(Play(bytes)).heard) << bytes.substr(0, 40);
  }
  EXPECT_FALSE(ErrorOf(Play("")).heard);
}

// Whoever greets in a protocol of its own may wait for an answer.
TEST_F(HttpClientAnswerTest, AGreetingInAnotherProtocolIsNotWaitedFor) {
  RawServer server([](RawPeer& peer, int) {
    peer.Write(std::string("J\0\0\0\n8.0.36\0", 12));
    peer.WaitForClose();
  });
  const HttpError error = Error(Get(server));
  EXPECT_EQ(error.kind, HttpError::Kind::kBadResponse);
  EXPECT_TRUE(error.heard);
}

TEST_F(HttpClientAnswerTest, ATimeoutKnowsWhetherAnythingWasHeard) {
  for (const bool heard : {false, true}) {
    RawServer server([&](RawPeer& peer, int) {
      peer.ReadRequest();
      if (heard) peer.Write("HTTP/1.1 2");
      peer.WaitForClose();
    });
    HttpRequest request = Get(server);
    request.timeout = absl::Milliseconds(50);
    const HttpError error = Error(std::move(request));
    EXPECT_EQ(error.kind, HttpError::Kind::kTimeout);
    EXPECT_EQ(error.heard, heard);
    EXPECT_FALSE(error.answered);
  }
}

TEST_F(HttpClientAnswerTest, MalformedChunkIsBadButAnswered) {
  for (const char* body :
       {"x\r\n", "5\r\nabcdefgh\r\n", "1 \r\n\r\n", "fffffffffffffffff\r\n"}) {
    const HttpError error = ErrorOf(Play(absl::StrCat(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", body)));
    EXPECT_EQ(error.kind, HttpError::Kind::kBadResponse) << body;
    EXPECT_TRUE(error.answered) << body;
  }
}

TEST_F(HttpClientAnswerTest, EndlessChunkHeaderIsBad) {
  const HttpError error = ErrorOf(
      Play(absl::StrCat("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "1;",
                        std::string(200 << 10, 'x'))));
  EXPECT_EQ(error.kind, HttpError::Kind::kBadResponse);
  EXPECT_TRUE(error.answered);
}

TEST_F(HttpClientAnswerTest, CutAnswerIsLost) {
  const std::vector<std::pair<std::string, bool>> cuts = {
      {"HTTP/1.1 200 OK\r\nContent-Le", false},
      {"HTTP/1.1 100 Continue\r\n\r\n", false},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcd", true},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
       true},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", true}};
  for (const auto& [bytes, answered] : cuts) {
    const HttpError error = ErrorOf(Play(bytes));
    EXPECT_EQ(error.kind, HttpError::Kind::kConnectionLost) << bytes;
    EXPECT_TRUE(error.sent) << bytes;
    EXPECT_EQ(error.answered, answered) << bytes;
  }
}

TEST_F(HttpClientAnswerTest, BodyOverTheLimitIsTooLarge) {
  const std::vector<std::string> answers = {
      // Known before a byte of the body has come.
      "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
      "chunked\r\n\r\n5\r\nabcde\r\n6\r\n",
      "HTTP/1.1 200 OK\r\n\r\nabcdefghijk"};
  for (const std::string& answer : answers) {
    RawServer server([&](RawPeer& peer, int) {
      peer.ReadRequest();
      peer.Write(answer);
      peer.WaitForClose();
    });
    HttpRequest request = Get(server);
    request.max_body_bytes = 10;
    const HttpError error = Error(std::move(request));
    EXPECT_EQ(error.kind, HttpError::Kind::kTooLarge) << answer;
    EXPECT_TRUE(error.answered) << answer;
    EXPECT_THAT(error.message, HasSubstr("body is over 10 bytes"));
  }
}

TEST_F(HttpClientAnswerTest, BodyAtTheLimitPasses) {
  EXPECT_EQ(AnswerOf(Play(RawAnswer(200, "0123456789"), 10)).body.size(), 10u);
  EXPECT_EQ(
      AnswerOf(Play("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "a\r\n0123456789\r\n0\r\n\r\n",
                    10))
          .body.size(),
      10u);
  EXPECT_EQ(AnswerOf(Play(RawAnswer(200, ""), 0)).status, 200);
}

// A length is a promise, not a reason to reserve memory.
TEST_F(HttpClientAnswerTest, HugeLengthReservesNothing) {
  const HttpError error = ErrorOf(
      Play("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\nabc",
           std::size_t{1} << 40));
  EXPECT_EQ(error.kind, HttpError::Kind::kConnectionLost);
  EXPECT_TRUE(error.answered);
}

TEST_F(HttpClientAnswerTest, HeadersOverTheLimitAreTooLarge) {
  const std::string one_line(70 << 10, 'x');
  std::string many_lines;
  while (many_lines.size() < (70 << 10)) many_lines += "name: some value\r\n";
  const std::vector<std::string> heads = {
      absl::StrCat("HTTP/1.1 200 OK\r\nA: ", one_line, "\r\n\r\n"),
      absl::StrCat("HTTP/1.1 200 ", one_line, "\r\n\r\n"),
      absl::StrCat("HTTP/1.1 200 OK\r\n", many_lines, "\r\n")};
  for (const std::string& head : heads) {
    const HttpError error = ErrorOf(Play(head));
    EXPECT_EQ(error.kind, HttpError::Kind::kTooLarge);
    EXPECT_TRUE(error.sent);
    EXPECT_THAT(error.message, HasSubstr("headers are over 65536 bytes"));
  }
}

TEST_F(HttpClientAnswerTest, HeadersBelowTheLimitPass) {
  std::string lines;
  while (lines.size() < (60 << 10)) lines += "name: some value\r\n";
  const HttpResponse response = AnswerOf(Play(RawAnswer(200, "{}", lines)));
  EXPECT_GT(response.headers.size(), 3000u);
  const HttpResponse one = AnswerOf(Play(RawAnswer(
      200, "{}", absl::StrCat("A: ", std::string(60 << 10, 'x'), "\r\n"))));
  EXPECT_EQ(FindHeader(one.headers, "a").size(), std::size_t{60 << 10});
}

}  // namespace
}  // namespace coord
