#include "server/node/proxied_messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "server/http/proxy_status.h"
#include "server/registry/it_resource.h"
#include "tests/support/packed.h"

namespace coord {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

MATCHER_P2(Header, name, value, "") {
  return arg.name == name && arg.value == value;
}

constexpr std::size_t kLimit = 1000;

class ProxiedAnswerTest : public ::testing::Test {
 protected:
  // What becomes of an answer with this body to a GET.
  HttpResponse Answer(int status, const std::string& content_type,
                      std::string body) {
    HttpResponse answer{status, {}, std::move(body)};
    if (!content_type.empty()) {
      answer.headers.push_back({"Content-Type", content_type});
    }
    return Proxied(std::move(answer));
  }
  HttpResponse Proxied(HttpResponse answer) {
    return ProxiedAnswer(std::move(answer), request_, "a", kLimit, reader_);
  }
  std::string Body(const std::string& content_type, std::string body) {
    return Answer(200, content_type, std::move(body)).body;
  }

  HttpServerRequest request_{.method = "GET", .path = "/mTest/a/x"};
  NodeBodyReader reader_;
};

TEST(ProxiedRequestHeaders, LoseWhatBelongsToOneConnection) {
  const HttpHeaders headers =
      ProxiedRequestHeaders({{"Host", "clusterd:7780"},
                             {"Connection", "keep-alive, X-Secret ,close"},
                             {"x-secret", "1"},
                             {"Keep-Alive", "timeout=5"},
                             {"Proxy-Authorization", "Basic x"},
                             {"Proxy-Connection", "close"},
                             {"TE", "trailers"},
                             {"Trailer", "x-sum"},
                             {"Transfer-Encoding", "chunked"},
                             {"Upgrade", "websocket"},
                             {"Expect", "100-continue"},
                             {"Content-Length", "5"},
                             {"Accept-Encoding", "gzip"},
                             {"X-Correlation-Id", "abc@1/D"},
                             {"Authorization", "Bearer t"},
                             {"Cookie", "a=1"},
                             {"cookie", "b=2"}},
                            "abc@2/D");
  EXPECT_THAT(headers, UnorderedElementsAre(
                           Header("Authorization", "Bearer t"),
                           Header("Cookie", "a=1"), Header("cookie", "b=2"),
                           Header("accept-encoding", "identity"),
                           Header("x-correlation-id", "abc@2/D"),
                           Header("via", "1.1 clusterd")));
}

TEST(ProxiedRequestHeaders, AskForNoPartOfWhatGetsAnEnvelope) {
  const HttpHeaders headers = {{"Range", "bytes=0-3"}, {"If-Range", "\"1\""}};
  EXPECT_EQ(FindHeader(ProxiedRequestHeaders(headers, "id"), "range"), "");
  EXPECT_EQ(FindHeader(ProxiedRequestHeaders(headers, "id"), "if-range"), "");
  HttpHeaders csv = headers;
  csv.push_back({"Accept", "text/csv"});
  EXPECT_EQ(FindHeader(ProxiedRequestHeaders(csv, "id"), "range"), "bytes=0-3");
}

TEST_F(ProxiedAnswerTest, JsonBecomesTheData) {
  const HttpResponse answer =
      Answer(201, "application/json; charset=utf-8", R"( {"n": 1} )");
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.body, NodeAnswer(R"( {"n": 1} )", "a"));
  EXPECT_THAT(answer.headers,
              UnorderedElementsAre(Header("content-type", "application/json")));
  EXPECT_EQ(Body("application/problem+json", "[1,2]"),
            NodeAnswer("[1,2]", "a"));
  EXPECT_EQ(Body("application/json", R"({"data":1,"server":{}})"),
            NodeAnswer(R"({"data":1,"server":{}})", "a"));
}

TEST_F(ProxiedAnswerTest, OneThatNamesAServerStaysAsItIs) {
  const std::string body = R"({"data":1,"server":{"serverId":"b"},"more":2})";
  EXPECT_EQ(Body("application/json", body), body);
}

TEST_F(ProxiedAnswerTest, NoBodyIsNullAndNever204) {
  for (const int status : {204, 205}) {
    const HttpResponse answer = Answer(status, "", "");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, NodeAnswer("null", "a"));
  }
  EXPECT_EQ(Answer(202, "application/json", "").status, 202);
  EXPECT_EQ(Body("application/json", ""), NodeAnswer("null", "a"));
}

TEST_F(ProxiedAnswerTest, TextBecomesAString) {
  EXPECT_EQ(Body("text/plain", "say \"ü\"\n"),
            NodeAnswer("\"say \\\"ü\\\"\\n\"", "a"));
  EXPECT_EQ(Body("", "42"), NodeAnswer("\"42\"", "a"));
}

TEST_F(ProxiedAnswerTest, JsonOfOthersBecomesTheData) {
  EXPECT_EQ(Body("application/json", "\xef\xbb\xbf[1]"),
            NodeAnswer("[1]", "a"));
  EXPECT_EQ(Body("application/json", R"({"a":"\ud83d"})"),
            NodeAnswer(R"({"a":"\ufffd"})", "a"));
  EXPECT_EQ(Body("application/json", "\r\n"), NodeAnswer("null", "a"));
}

TEST_F(ProxiedAnswerTest, WhatIsNotWhatItAnnouncesIs406) {
  for (const auto& [coding, body] :
       {std::pair("", "{"), {"gzip", "\x1f\x8b"}, {"br", "\x8b\x01"}}) {
    const HttpResponse answer = Proxied(
        {200,
         {{"content-type", "application/json"}, {"content-encoding", coding}},
         body});
    EXPECT_EQ(answer.status, 406);
    EXPECT_THAT(answer.body, HasSubstr("\"statusCode\":406"));
    EXPECT_THAT(answer.body, HasSubstr("\"message\":\"its answer is "));
    EXPECT_EQ(ProxyFaultOf(answer.headers), ProxyFault::kUnreadable);
    EXPECT_EQ(FindHeader(answer.headers, "content-encoding"), "");
  }
}

TEST_F(ProxiedAnswerTest, TheEnvelopeTellsNothingOfTheBodyThatWas) {
  for (const std::string method : {"GET", "HEAD"}) {
    request_.method = method;
    const HttpResponse answer =
        Proxied({206,
                 {{"Content-Type", "text/csv"},
                  {"Content-Encoding", "gzip, gzip"},
                  {"Content-Range", "bytes 0-9/10"},
                  {"Accept-Ranges", "bytes"},
                  {"ETag", "\"1\""},
                  {"Content-Digest", "sha-256=:x:"},
                  {"Repr-Digest", "sha-256=:x:"},
                  {"Digest", "sha-256=x"},
                  {"Content-MD5", "x"},
                  {"Content-Location", "/a.csv"},
                  {"Content-Disposition", "attachment; filename=a.csv"},
                  {"Content-Language", "en"},
                  {"Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"},
                  {"Cache-Control", "no-store"}},
                 method == "HEAD" ? "" : "\xff"});
    EXPECT_EQ(answer.status, 200);
    EXPECT_THAT(answer.headers,
                UnorderedElementsAre(
                    Header("Content-Language", "en"),
                    Header("Cache-Control", "no-store"),
                    Header("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
                    Header("content-type", "application/json")));
    EXPECT_EQ(answer.body,
              method == "HEAD"
                  ? ""
                  : NodeAnswer("\"data:text/csv;base64,/w==\"", "a"));
  }
}

TEST_F(ProxiedAnswerTest, PackedAnswersAreUnpackedWithinTheLimit) {
  const auto packed = [this](const std::string& text) {
    return Proxied({200,
                    {{"content-type", "application/json"},
                     {"content-encoding", "gzip"},
                     {"etag", "\"1\""}},
                    Gzip(text)});
  };
  EXPECT_EQ(packed("[1]").body, NodeAnswer("[1]", "a"));
  const std::string own = R"({"server":{"serverId":"a"}})";
  const HttpResponse answer = packed(own);
  EXPECT_EQ(answer.body, own);
  EXPECT_THAT(answer.headers,
              UnorderedElementsAre(Header("content-type", "application/json")));
  const HttpResponse large = packed(std::string(kLimit + 1, ' '));
  EXPECT_EQ(large.status, 413);
  EXPECT_THAT(large.body,
              HasSubstr("its answer is over 1000 bytes once unpacked"));
  EXPECT_EQ(ProxyFaultOf(large.headers), ProxyFault::kTooLarge);
}

TEST_F(ProxiedAnswerTest, OtherBytesBecomeADataUrl) {
  EXPECT_EQ(Body("image/png; q=1", "\x89\xff"),
            NodeAnswer("\"data:image/png;base64,if8=\"", "a"));
  EXPECT_EQ(Body("", "\xff"),
            NodeAnswer("\"data:application/octet-stream;base64,/w==\"", "a"));
}

TEST_F(ProxiedAnswerTest, CallersThatTakeNoJsonGetTheAnswerItself) {
  request_.headers = {{"Accept", "text/csv, image/*"}};
  const HttpResponse answer = Answer(200, "text/csv", "a,b");
  EXPECT_EQ(answer.body, "a,b");
  EXPECT_EQ(FindHeader(answer.headers, "content-type"), "text/csv");
  for (const char* accept :
       {"application/json, text/plain, */*", "Application/*", "*/*;q=0.1"}) {
    request_.headers = {{"accept", accept}};
    EXPECT_EQ(Body("text/csv", "a,b"), NodeAnswer("\"a,b\"", "a")) << accept;
  }
}

TEST_F(ProxiedAnswerTest, OtherStatusesAndHeadStayAsTheyAre) {
  for (const int status : {304, 307, 404, 500}) {
    const HttpResponse answer = Answer(status, "text/html", "<p>");
    EXPECT_EQ(answer.status, status);
    EXPECT_EQ(answer.body, "<p>");
    EXPECT_EQ(FindHeader(answer.headers, "content-type"), "text/html");
  }
  request_.method = "HEAD";
  EXPECT_EQ(Body("text/html", ""), "");
}

TEST_F(ProxiedAnswerTest, LosesWhatBelongsToOneConnection) {
  const HttpResponse answer = ProxiedAnswer({404,
                                             {{"Connection", "x-hop"},
                                              {"X-Hop", "1"},
                                              {"Keep-Alive", "timeout=5"},
                                              {"Transfer-Encoding", "chunked"},
                                              {"Content-Length", "9"},
                                              {"X-Correlation-Id", "own"},
                                              {"ETag", "\"1\""},
                                              {"Set-Cookie", "a=1"},
                                              {"Set-Cookie", "b=2"}},
                                             ""},
                                            request_, "a", kLimit, reader_);
  EXPECT_THAT(
      answer.headers,
      UnorderedElementsAre(Header("ETag", "\"1\""), Header("Set-Cookie", "a=1"),
                           Header("Set-Cookie", "b=2")));
}

TEST(ProxyFailure, Is5xxOnlyWhereTheServiceIsToBlame) {
  using Kind = HttpError::Kind;
  for (const auto& [kind, status] : {std::pair(Kind::kUnreachable, 502),
                                     {Kind::kConnectionLost, 502},
                                     {Kind::kBadResponse, 406},
                                     {Kind::kTimeout, 504},
                                     {Kind::kTooLarge, 413},
                                     {Kind::kOverloaded, 429},
                                     {Kind::kUnresolved, 429}}) {
    const HttpResponse answer = ProxyFailure({kind, false, false, "the cause"});
    EXPECT_EQ(answer.status, status);
    EXPECT_THAT(answer.body, HasSubstr("the cause"));
  }
}

}  // namespace
}  // namespace coord
