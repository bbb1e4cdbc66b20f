// Which requests the listener takes, and how it refuses the others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "tests/unit/http/listener_fixture.h"

namespace coord {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class HttpListenerRequestTest : public HttpListenerTest {
 protected:
  // Expects that `bytes` are refused with `status` and a JSON error that says
  // `message`, and that the connection ends.
  void ExpectRefused(std::string_view bytes, int status,
                     const std::string& message) {
    SCOPED_TRACE(std::string(bytes.substr(0, 200)));
    const std::string answer = Talk(bytes);
    EXPECT_THAT(answer, StartsWith(absl::StrCat("HTTP/1.1 ", status, " ")));
    EXPECT_THAT(answer, HasSubstr("\r\nConnection: close\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\ncontent-type: application/json\r\n"));
    const std::size_t body = answer.find("\r\n\r\n");
    ASSERT_NE(body, std::string::npos);
    boost::json::error_code error;
    const auto json = boost::json::parse(answer.substr(body + 4), error);
    ASSERT_FALSE(error) << answer;
    EXPECT_EQ(json.at("statusCode"), status);
    EXPECT_THAT(std::string(json.at("message").as_string()),
                HasSubstr(message));
  }
};

TEST_F(HttpListenerRequestTest, HandsOverAllPartsOfARequest) {
  Promised<HttpServerRequest> seen;
  Start([&](HttpServerRequest request, HttpReply reply) {
    seen.Set(std::move(request));
    std::move(reply)({200, {}, ""});
  });
  Talk(
      "PUT /a%20b/c?d=e&f?g HTTP/1.1\r\nHost: x\r\nX-A:  b \r\nx-a: c\r\n"
      "Connection: close\r\nContent-Length: 3\r\n\r\nabc");
  const HttpServerRequest request = seen.Take();
  EXPECT_EQ(request.method, "PUT");
  EXPECT_EQ(request.path, "/a%20b/c");
  EXPECT_EQ(request.query, "d=e&f?g");
  EXPECT_EQ(request.body, "abc");
  EXPECT_THAT(request.peer, StartsWith("127.0.0.1:"));
  EXPECT_EQ(request.headers, (HttpHeaders{{"Host", "x"},
                                          {"X-A", "b"},
                                          {"x-a", "c"},
                                          {"Connection", "close"},
                                          {"Content-Length", "3"}}));
}

TEST_F(HttpListenerRequestTest, ChunkedBodyIsJoinedAndTrailersAreDropped) {
  Promised<HttpServerRequest> seen;
  Start([&](HttpServerRequest request, HttpReply reply) {
    seen.Set(std::move(request));
    std::move(reply)({200, {}, ""});
  });
  Talk(
      "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
      "Transfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n2;e=1\r\nde\r\n0\r\nAuthorization: evil\r\n\r\n");
  const HttpServerRequest request = seen.Take();
  EXPECT_EQ(request.body, "abcde");
  EXPECT_EQ(FindHeader(request.headers, "authorization"), "");
}

TEST_F(HttpListenerRequestTest, FramingOfChunksIsLimitedAsHeadersAre) {
  StartEcho();
  const std::string start =
      "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
      "Transfer-Encoding: chunked\r\n\r\n";
  const std::size_t limit = HttpListenerOptions().max_header_bytes;
  const std::string little(limit / 2, 'x');
  const std::string much(limit, 'x');
  EXPECT_THAT(Talk(absl::StrCat(start, "1;e=", little,
                                "\r\na\r\n0\r\nT: ", little, "\r\n\r\n")),
              EndsWith("POST /? a"));
  ExpectRefused(absl::StrCat(start, "1;e=", much, "\r\na\r\n0\r\n\r\n"), 400,
                "malformed request: ");
  ExpectRefused(absl::StrCat(start, "1\r\na\r\n0\r\nT: ", much, "\r\n\r\n"),
                400, "malformed request: ");
}

TEST_F(HttpListenerRequestTest, RequestInSingleBytesIsWhole) {
  StartEcho();
  RawClient client = Connect();
  for (const char c : std::string("POST /a HTTP/1.1\r\nHost: x\r\n"
                                  "Connection: close\r\nContent-Length: 4\r\n"
                                  "\r\nbody")) {
    client.Write({&c, 1});
  }
  EXPECT_THAT(client.ReadAll(), EndsWith("POST /a? body"));
}

TEST_F(HttpListenerRequestTest, BodyMayHoldAnything) {
  StartEcho();
  for (const std::string& body :
       {std::string("\n \r\n\r\n\0GET / HTTP/1.1\n\n", 23), std::string(" {}"),
        std::string("\t{}"), std::string("\r\n x")}) {
    EXPECT_THAT(Talk(absl::StrCat("POST / HTTP/1.1\r\nHost: x\r\n"
                                  "Connection: close\r\nContent-Length: ",
                                  body.size(), "\r\n\r\n", body)),
                EndsWith("POST /? " + body));
  }
}

TEST_F(HttpListenerRequestTest, MalformedRequestsAre400) {
  StartEcho();
  for (const char* bytes : {
           "hello\r\n\r\n",
           "\x16\x03\x01\x02\r\n\r\n",
           "GET / HTTP/2.0\r\nHost: x\r\n\r\n",
           "GET /\r\n\r\n",
           "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
           "G@T / HTTP/1.1\r\nHost: x\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: x\r\nNo colon\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: x\r\nSpace : before\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: x\r\n: no name\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: x\r\nA: b\x01c\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n",
       }) {
    ExpectRefused(bytes, 400, "malformed request: ");
  }
}

TEST_F(HttpListenerRequestTest, AmbiguousFramingIs400) {
  StartEcho();
  const std::string start = "POST / HTTP/1.1\r\nHost: x\r\n";
  for (const char* headers : {
           "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
           "Content-Length: 1, 2\r\n\r\nab",
           "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
           "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
           "Content-Length: -1\r\n\r\n",
           "Content-Length: +1\r\n\r\na",
           "Content-Length: 0x1\r\n\r\na",
           "Content-Length: \r\n\r\n",
           "Content-Length: 99999999999999999999999\r\n\r\n",
           "Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
           "Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
           "Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n",
       }) {
    ExpectRefused(absl::StrCat(start, headers), 400, "malformed request: ");
  }
  for (const char* coding : {"gzip", "gzip, chunked", "chunked, gzip",
                             "identity", "xchunked", "chunked\v"}) {
    const std::string answer = Talk(absl::StrCat(
        start, "Transfer-Encoding: ", coding, "\r\n\r\n0\r\n\r\n"));
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 ")) << coding;
  }
  ExpectRefused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
                "transfer-encoding other than chunked");
}

TEST_F(HttpListenerRequestTest, SameLengthTwiceIsOneLength) {
  StartEcho();
  EXPECT_THAT(Talk("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                   "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab"),
              EndsWith("POST /? ab"));
}

TEST_F(HttpListenerRequestTest, FoldedHeaderLineIs400) {
  StartEcho();
  for (const char* fold : {" ", "\t"}) {
    ExpectRefused(absl::StrCat("GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n", fold,
                               "c: d\r\n\r\n"),
                  400, "folded header line");
  }
}

TEST_F(HttpListenerRequestTest, BareLineFeedIs400AtOnce) {
  StartEcho();
  for (const char* bytes :
       {"GET / HTTP/1.1\nHost: x\n\n", "GET / HTTP/1.1\r\nHost: x\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: b\nC: d\r\n\r\n", "\n"}) {
    ExpectRefused(bytes, 400, "line ends without a carriage return");
  }
}

TEST_F(HttpListenerRequestTest, HostIsWantedOnce) {
  StartEcho();
  ExpectRefused("GET / HTTP/1.1\r\n\r\n", 400, "no host header");
  ExpectRefused("GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", 400,
                "more than one host header");
}

TEST_F(HttpListenerRequestTest, TargetIsAnEscapedPath) {
  StartEcho();
  for (const char* target : {"x:443", "*", "a", "/a#b", "/a\"b", "/<script>",
                             "/\x80", "/\xc3\xa4"}) {
    ExpectRefused(absl::StrCat("GET ", target, " HTTP/1.1\r\nHost: x\r\n\r\n"),
                  400, "target must be an escaped path that starts with /");
  }
  EXPECT_THAT(Talk("GET /[a]|{b} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                   "\r\n"),
              EndsWith("GET /[a]|{b}? "));
}

TEST_F(HttpListenerRequestTest, TargetMayBeAnHttpUrlWhosePathCounts) {
  StartEcho();
  for (const auto& [target, echo] :
       {std::pair("http://127.0.0.1:7780/healthz", "GET /healthz? "),
        {"HTTP://other.test/a%20b?c=d", "GET /a%20b?c=d "},
        {"https://[::1]:1/x", "GET /x? "},
        {"http://x", "GET /? "},
        {"http://x/", "GET /? "},
        {"http://x?a=/b", "GET /?a=/b "}}) {
    EXPECT_THAT(Talk(absl::StrCat("GET ", target,
                                  " HTTP/1.1\r\nHost: x\r\n"
                                  "Connection: close\r\n\r\n")),
                EndsWith(echo));
  }
  for (const char* target :
       {"http:///a", "http://u@x/", "http://x:0/", "ftp://x/", "http:/a",
        "http://a b/", "http://x/#a", "//x/\"", "http://x\\y/", "://x/"}) {
    ExpectRefused(absl::StrCat("GET ", target, " HTTP/1.1\r\nHost: x\r\n\r\n"),
                  400, "");
  }
  ExpectRefused("GET http://x/ HTTP/1.1\r\n\r\n", 400, "no host header");
}

TEST_F(HttpListenerRequestTest, EmptyLinesBeforeARequestAreSkipped) {
  StartEcho();
  const std::string request =
      "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi\r\n";
  const std::string last =
      "GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  const std::string answers =
      Talk(absl::StrCat("\r\n\r\n", request, request, "\r\n", last));
  EXPECT_THAT(answers, HasSubstr("POST /a? hi"));
  EXPECT_THAT(answers, EndsWith("GET /b? "));
  EXPECT_THAT(answers, Not(HasSubstr(" 400 ")));
  RawClient client = Connect();
  for (const char c : absl::StrCat("\r\n\r\n", last)) client.Write({&c, 1});
  EXPECT_THAT(client.ReadAll(), EndsWith("GET /b? "));
  ExpectRefused("\n" + last, 400, "line ends without a carriage return");
  ExpectRefused("\r" + last, 400, "malformed request");
}

// A client that sends one behind a body rests like any other.
TEST_F(HttpListenerRequestTest, AnEmptyLineIsNoSlowRequest) {
  options_.slow_client_timeout = absl::Milliseconds(20);
  options_.idle_timeout = absl::Seconds(1);
  StartEcho();
  RawClient client = Connect();
  client.Write("GET / HTTP/1.1\r\nHost: x\r\n\r\n\r\n");
  EXPECT_THAT(client.ReadAll(),
              AllOf(StartsWith("HTTP/1.1 200 "), EndsWith("GET /? ")));
}

TEST_F(HttpListenerRequestTest, HeadersThatMustBeSingleAre) {
  StartEcho();
  for (const char* header : {"Authorization", "Content-Type"}) {
    ExpectRefused(absl::StrCat("GET / HTTP/1.1\r\nHost: x\r\n", header,
                               ": a\r\nAccept: b\r\n", header, ": a\r\n\r\n"),
                  400,
                  absl::StrCat("more than one ", absl::AsciiStrToLower(header),
                               " header"));
  }
}

TEST_F(HttpListenerRequestTest, EmptyTargetIs400) {
  StartEcho();
  EXPECT_THAT(Talk("GET HTTP/1.1\r\nHost: x\r\n\r\n"),
              StartsWith("HTTP/1.1 400 "));
}

TEST_F(HttpListenerRequestTest, HeadersOverTheLimitAre431) {
  options_.max_header_bytes = 4096;
  StartEcho();
  std::string many;
  for (int i = 0; i < 100'000; ++i) many += "a: b\r\n";
  for (const std::string& headers :
       {many, "A: " + std::string(100'000, 'x') + "\r\n"}) {
    ExpectRefused(
        absl::StrCat("GET / HTTP/1.1\r\nHost: x\r\n", headers, "\r\n"), 431,
        "headers are over 4096 bytes");
  }
  ExpectRefused(absl::StrCat("GET /", std::string(100'000, 'x'),
                             " HTTP/1.1\r\nHost: x\r\n\r\n"),
                431, "headers are over 4096 bytes");
}

TEST_F(HttpListenerRequestTest, HeadersBelowTheLimitPass) {
  options_.max_header_bytes = 64 << 10;
  StartEcho();
  EXPECT_THAT(Talk(absl::StrCat("GET / HTTP/1.1\r\nHost: x\r\nA: ",
                                std::string(60 << 10, 'x'),
                                "\r\nConnection: close\r\n\r\n")),
              StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpListenerRequestTest, BodyOverTheLimitIs413) {
  options_.max_body_bytes = 10;
  StartEcho();
  const std::string start = "POST / HTTP/1.1\r\nHost: x\r\n";
  ExpectRefused(absl::StrCat(start, "Content-Length: 11\r\n\r\n"), 413,
                "body is over 10 bytes");
  ExpectRefused(absl::StrCat(start,
                             "Transfer-Encoding: chunked\r\n\r\n5\r\n"
                             "abcde\r\n6\r\n"),
                413, "body is over 10 bytes");
  EXPECT_THAT(Talk(absl::StrCat(start,
                                "Connection: close\r\nContent-Length: 10\r\n"
                                "\r\n0123456789")),
              EndsWith("POST /? 0123456789"));
}

// A client that is not done sending must still find its answer.
TEST_F(HttpListenerRequestTest, RefusalReachesAClientThatGoesOnSending) {
  StartEcho();
  RawClient client = Connect();
  client.Write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 413 "));
  client.Write(std::string(2 << 20, 'x'));
  EXPECT_THAT(client.ReadAll(), HasSubstr("\"statusCode\":413"));
}

TEST_F(HttpListenerRequestTest, EndlessChunkHeaderIs400) {
  StartEcho();
  ExpectRefused(absl::StrCat("POST / HTTP/1.1\r\nHost: x\r\n"
                             "Transfer-Encoding: chunked\r\n\r\n1;",
                             std::string(100'000, 'x')),
                400, "malformed request");
}

TEST_F(HttpListenerRequestTest, SlowHeadersAre408) {
  options_.slow_client_timeout = absl::Milliseconds(20);
  StartEcho();
  ExpectRefused("GET / HTTP/1.1\r\nHo", 408,
                "the request took too long to arrive");
}

TEST_F(HttpListenerRequestTest, SlowBodyIs408) {
  options_.slow_client_timeout = absl::Milliseconds(20);
  StartEcho();
  ExpectRefused("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab",
                408, "the request took too long to arrive");
}

// Each byte that arrives must not buy more time.
TEST_F(HttpListenerRequestTest, TricklingDoesNotPutOffTheDeadline) {
  options_.slow_client_timeout = absl::Milliseconds(50);
  options_.max_header_bytes = 64 << 20;
  StartEcho();
  RawClient client = Connect();
  client.Write("GET / HTTP/1.1\r\nHost: x\r\nA: ");
  while (!client.Readable()) client.Write("x");
  EXPECT_THAT(client.ReadUntil("\r\n"), StartsWith("HTTP/1.1 408 "));
}

TEST_F(HttpListenerRequestTest, ClientThatWaitsIsToldToContinue) {
  StartEcho();
  RawClient client = Connect();
  client.Write(
      "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\n"
      "Connection: close\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Write("hi");
  EXPECT_THAT(client.ReadAll(), EndsWith("POST /? hi"));
}

TEST_F(HttpListenerRequestTest, ClientWhoseBodyIsTooLargeIsNotTold) {
  options_.max_body_bytes = 10;
  StartEcho();
  ExpectRefused(
      "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
      "Content-Length: 11\r\n\r\n",
      413, "body is over 10 bytes");
}

TEST_F(HttpListenerRequestTest, BodyThatIsAlreadyThereNeedsNoContinue) {
  StartEcho();
  EXPECT_THAT(Talk("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                   "Connection: close\r\nContent-Length: 2\r\n\r\nhi"),
              StartsWith("HTTP/1.1 200 OK"));
}

TEST_F(HttpListenerTest, BodiesThatAreHeldHaveALimitInAll) {
  options_.max_held_bytes = 1000;
  absl::Notification arrived;
  HttpReply kept;
  Start([&](HttpServerRequest request, HttpReply reply) {
    if (request.path == "/kept") {
      kept = std::move(reply);
      arrived.Notify();
    } else {
      std::move(reply)({200, {}, absl::StrCat(request.body.size())});
    }
  });
  const auto post = [](const char* path, int size) {
    return absl::StrCat("POST ", path,
                        " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                        "Content-Length: ",
                        size, "\r\n\r\n", std::string(size, 'x'));
  };
  RawClient first = Connect();
  first.Write(post("/kept", 600));
  arrived.WaitForNotification();

  const std::string refused = Talk(post("/", 500));
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 429 Too Many Requests\r\n"));
  EXPECT_THAT(refused,
              HasSubstr("the bodies of requests that are held are at their "
                        "limit (--max-http-held-bytes)"));
  EXPECT_THAT(Talk(post("/", 400)), EndsWith("400"));

  std::move(kept)({200, {}, "done"});
  EXPECT_THAT(first.ReadAll(), EndsWith("done"));
  EXPECT_THAT(Talk(post("/", 1000)), EndsWith("1000"));
}

}  // namespace
}  // namespace coord
