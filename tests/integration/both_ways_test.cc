// One answer, from a server that is called directly and from a service behind
// clusterd's proxy: both are judged alike.
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/packed.h"
#include "tests/support/proxied_service.h"

namespace coord {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

struct Case {
  std::string name;
  std::string answer;
  // Of results: what the server adds to `data`, then what the service does.
  std::string data;
  // Of failures.
  pb::FailureReason reason = pb::FAILURE_REASON_UNSPECIFIED;
};

Case Result(std::string name, std::string answer, std::string data) {
  return {std::move(name), std::move(answer), std::move(data)};
}

Case Failure(std::string name, std::string answer, pb::FailureReason reason) {
  return {std::move(name), std::move(answer), "[]", reason};
}

std::string Coded(const std::string& coding, const std::string& body) {
  return RawAnswer(200, body,
                   absl::StrCat("content-encoding: ", coding, "\r\n"));
}

class BothTest : public ProxiedServiceTest {
 protected:
  // Called, and behind the proxy: `direct` and `plain`.
  void ServeBoth(const RawServer::Script& script) {
    AddRawNode("direct", script);
    StartService(script);
  }
};

class BothWaysTest : public BothTest,
                     public testing::WithParamInterface<Case> {};

TEST_P(BothWaysTest, AreOneJudgement) {
  ServeBoth([](RawPeer& peer, int) {
    while (!peer.ReadRequest().empty()) peer.Write(GetParam().answer);
  });
  const auto response = FanOut(GetCall("/x"));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->data_json(), GetParam().data);
  if (GetParam().reason == pb::FAILURE_REASON_UNSPECIFIED) {
    EXPECT_EQ(response->results_size(), 2) << response->DebugString();
    return;
  }
  ASSERT_EQ(response->failures_size(), 2) << response->DebugString();
  for (const pb::FanOutFailure& failure : response->failures()) {
    EXPECT_EQ(failure.reason(), GetParam().reason) << failure.DebugString();
    EXPECT_EQ(failure.certainty(), pb::CERTAINTY_ANSWERED);
    EXPECT_EQ(failure.attempts(), 1);
  }
}

const char kBody[] = R"({"data":[1]})";
const char kBoth[] = R"([1,{"data":[1]}])";

INSTANTIATE_TEST_SUITE_P(
    Results, BothWaysTest,
    testing::Values(
        Result("Plain", RawAnswer(200, kBody), kBoth),
        Result("Gzip", Coded("gzip", Gzip(kBody)), kBoth),
        Result("Deflate", Coded("deflate", Packed(kBody, PackedAs::kZlib)),
               kBoth),
        Result("UnknownCoding", Coded("utf-8", kBody), kBoth),
        Result("CodingThatItHasNot", Coded("gzip", kBody), kBoth),
        Result("ByteOrderMark",
               RawAnswer(200, absl::StrCat("\xef\xbb\xbf", kBody)), kBoth),
        Result("HalfASurrogatePair", RawAnswer(200, R"({"data":"\ud83d"})"),
               R"(["\ufffd",{"data":"\ufffd"}])"),
        Result("NoBody", RawAnswer(200, ""), "[null]"),
        Result("Blank", RawAnswer(200, "\r\n"), "[null]"),
        Result("Whole206",
               RawAnswer(206, kBody, "content-range: bytes 0-11/12\r\n"),
               kBoth),
        Result("Packed206",
               RawAnswer(206, Gzip(kBody),
                         "content-encoding: gzip\r\n"
                         "content-range: bytes 0-31/32\r\n"),
               kBoth)),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Failures, BothWaysTest,
    testing::Values(
        Failure("NoJson", RawAnswer(200, "{"), pb::FAILURE_REASON_BAD_BODY),
        Failure("NotUtf8", RawAnswer(200, "\"\xff\""),
                pb::FAILURE_REASON_BAD_BODY),
        Failure("CutGzip", Coded("gzip", Gzip(kBody).substr(0, 15)),
                pb::FAILURE_REASON_BAD_BODY),
        Failure("NoGzip", Coded("gzip", "text"), pb::FAILURE_REASON_BAD_BODY),
        Failure("Brotli", Coded("br", "\x8b\x05\x80"),
                pb::FAILURE_REASON_BAD_BODY),
        Failure("Bomb", Coded("gzip", Gzip(std::string(20 << 20, ' '))),
                pb::FAILURE_REASON_TOO_LARGE),
        Failure("TooLarge", RawAnswer(200, std::string(4 << 20, ' ')),
                pb::FAILURE_REASON_TOO_LARGE)),
    [](const auto& info) { return info.param.name; });

TEST_F(BothTest, TheEnvelopeTellsOfItself) {
  StartService([](RawPeer& peer, int) {
    const std::string request = peer.ReadRequest();
    EXPECT_THAT(request, Not(HasSubstr("ange:")));
    peer.Write(RawAnswer(206, Gzip(kBody),
                         "content-encoding: gzip\r\netag: \"1\"\r\n"
                         "content-digest: sha-256=:x:\r\n"
                         "content-range: bytes 0-31/32\r\n"));
  });
  RawClient client = Connect();
  client.Write(
      "GET /mTest/plain/x HTTP/1.1\r\nHost: x\r\nRange: bytes=0-31\r\n"
      "If-Range: \"1\"\r\nConnection: close\r\n\r\n");
  const std::string answer = client.ReadAll();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  for (const char* gone :
       {"content-encoding", "etag", "content-digest", "content-range"}) {
    EXPECT_THAT(answer, Not(HasSubstr(gone)));
  }
  EXPECT_THAT(
      answer,
      HasSubstr(R"({"data":{"data":[1]},"server":{"serverId":"plain"}})"));
}

TEST_F(BothTest, ATargetArrivesAsItWasMeant) {
  ServeBoth([](RawPeer& peer, int) {
    const std::string request = peer.ReadRequest();
    peer.Write(RawAnswer(
        200, absl::StrCat(R"({"data":")", request.substr(0, request.find('\r')),
                          "\"}")));
  });
  pb::FanOutRequest request = GetCall("/<a>");
  request.mutable_http()->set_query(R"(filter={"a":[1]}&b=%22|^`')");
  const auto response = FanOut(request);
  ASSERT_TRUE(response.ok()) << response.status();
  const std::string line =
      "\"GET /%3Ca%3E?filter={%22a%22:[1]}&b=%22|^`' HTTP/1.1\"";
  EXPECT_EQ(response->data_json(),
            absl::StrCat("[", line, R"(,{"data":)", line, "}]"));
}

}  // namespace
}  // namespace coord
