// Which heads are understood, and as what.
#include "server/http/response_head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace coord {
namespace {

using ::testing::ElementsAre;
using Framing = ResponseHead::Framing;

// Lines separated by `|`.
absl::Status Take(const std::string& lines, ResponseHead& head,
                  bool to_head = false) {
  for (const absl::string_view line : absl::StrSplit(lines, '|')) {
    if (absl::Status s = head.TakeLine({line.data(), line.size()}); !s.ok()) {
      return s;
    }
  }
  return head.Finish(to_head);
}

ResponseHead Taken(const std::string& lines, bool to_head = false) {
  ResponseHead head;
  const absl::Status status = Take(lines, head, to_head);
  EXPECT_TRUE(status.ok()) << status << " of " << lines;
  return head;
}

std::string Refusal(const std::string& lines) {
  ResponseHead head;
  const absl::Status status = Take(lines, head);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status << " of " << lines;
  return std::string(status.message());
}

TEST(FirstLine, EndsInLfWithAllCrsBeforeIt) {
  const std::vector<std::pair<std::string, std::string>> lines = {
      {"a\r\nb", "a"}, {"a\nb", "a"}, {"a\r\r\n", "a"},
      {"\r\n", ""},    {"\n", ""},    {"a\rb\n", "a\rb"}};
  for (const auto& [bytes, text] : lines) {
    const auto line = FirstLine(bytes);
    ASSERT_TRUE(line) << bytes;
    EXPECT_EQ(line->text, text);
    EXPECT_EQ(line->size, bytes.find('\n') + 1);
    EXPECT_EQ(line->bare_lf, bytes.find("\r\n") == std::string::npos);
  }
  EXPECT_FALSE(FirstLine("a\r"));
  EXPECT_FALSE(FirstLine(""));
}

TEST(ResponseHead, StatusLinesOfManyServersAreRead) {
  for (const char* line :
       {"HTTP/1.1 200 OK", "HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.1  200 OK",
        "HTTP/1.1 200  OK", "HTTP/1.1 200\tOK", "HTTP/1.1 200OK",
        "http/1.1 200 ok", "HTTP/1.2 200 OK", "HTTP/1.0 200 OK",
        "HTTP/1.1 200 \xe9\xff", "HTTP/1.1 200 a\x01\x7f",
        "HTTP/1.1 200 a\rb"}) {
    EXPECT_EQ(Taken(line).status(), 200) << line;
  }
  EXPECT_EQ(Taken("HTTP/1.1 999 X").status(), 999);
}

TEST(ResponseHead, OtherStatusLinesAreRefused) {
  for (const char* line : {"", "HTTP/1.1", "HTTP/1.1\t200 OK", "HTTP/1 200 OK",
                           "HTTP/2 200 OK", "HTTP/1.10 200 OK", "ICY 200 OK",
                           " HTTP/1.1 200 OK", "HTTP/1.x 200 OK"}) {
    EXPECT_EQ(Refusal(line), "it does not begin with an HTTP/1 version")
        << line;
  }
  for (const char* line : {"HTTP/1.1 ", "HTTP/1.1 20", "HTTP/1.1 2000 X",
                           "HTTP/1.1 2x0 X", "HTTP/1.1 -20 X"}) {
    EXPECT_EQ(Refusal(line), "no status of three digits") << line;
  }
  EXPECT_EQ(Refusal("HTTP/1.1 099 X"), "a status below 100");
  EXPECT_EQ(Refusal("HTTP/1.1 101 X"), "it switches protocols unasked");
}

TEST(ResponseHead, BeginningsThatCantBecomeAStatusLineAreKnown) {
  for (const char* bytes : {"", "H", "http", "HTTP/1.", "HTTP/1.1 200"}) {
    EXPECT_TRUE(ResponseHead::MayBeStatusLine(bytes)) << bytes;
  }
  for (const char* bytes : {"S", "HTTP/2", "HTTPS/1.1", "\x15\x03", "{"}) {
    EXPECT_FALSE(ResponseHead::MayBeStatusLine(bytes)) << bytes;
  }
}

TEST(ResponseHead, FieldsLoseWhatDoesNotBelongToThem) {
  EXPECT_THAT(Taken("HTTP/1.1 200 OK|A: b|C:d|E : f |G:|H:\t i j \t|K: \xe9")
                  .TakeHeaders(),
              ElementsAre(HttpHeader{"A", "b"}, HttpHeader{"C", "d"},
                          HttpHeader{"E", "f"}, HttpHeader{"G", ""},
                          HttpHeader{"H", "i j"}, HttpHeader{"K", "\xe9"}));
}

TEST(ResponseHead, FoldedLinesAreJoined) {
  EXPECT_THAT(
      Taken("HTTP/1.1 200 OK| of nothing|A: b| c|\td|  |E:| f").TakeHeaders(),
      ElementsAre(HttpHeader{"A", "b c d"}, HttpHeader{"E", "f"}));
}

TEST(ResponseHead, FieldsThatCantBePassedOnAreLeftOut) {
  EXPECT_THAT(Taken("HTTP/1.1 200 OK|: a|b c: d| more|x(y): e|\xc3\xa9: f|G: h")
                  .TakeHeaders(),
              ElementsAre(HttpHeader{"G", "h"}));
}

TEST(ResponseHead, ControlCharactersBecomeSpaces) {
  EXPECT_THAT(Taken("HTTP/1.1 200 OK|A: b\x01"
                    "c\x7f"
                    "d\te")
                  .TakeHeaders(),
              ElementsAre(HttpHeader{"A", "b c d\te"}));
}

TEST(ResponseHead, LinesThatMayHideOthersAreRefused) {
  EXPECT_EQ(Refusal("HTTP/1.1 200 OK|no colon"),
            "a header line without a colon");
  for (const std::string& line : {std::string("A: b\rc"), std::string("A\r: b"),
                                  std::string("A: b\0c", 6)}) {
    EXPECT_EQ(Refusal("HTTP/1.1 200 OK|" + line),
              "a CR or NUL within a header line");
  }
}

TEST(ResponseHead, SaysHowTheBodyEnds) {
  const std::vector<std::pair<std::string, Framing>> heads = {
      {"200 OK|Content-Length: 5", Framing::kLength},
      {"200 OK|content-length: 005", Framing::kLength},
      {"200 OK|Content-Length: 5|Content-Length: 5", Framing::kLength},
      {"200 OK|Content-Length: 5 , 5", Framing::kLength},
      {"200 OK|Content-Length:| 5", Framing::kLength},
      {"200 OK|Content-Length : 5", Framing::kLength},
      {"200 OK|Transfer-Encoding: identity|Content-Length: 5",
       Framing::kLength},
      {"200 OK|Transfer-Encoding: Chunked", Framing::kChunked},
      {"200 OK|Transfer-Encoding: chunked|Transfer-Encoding: chunked",
       Framing::kChunked},
      {"200 OK|Transfer-Encoding: identity, chunked,", Framing::kChunked},
      {"200 OK|Transfer-Encoding:", Framing::kUntilClosed},
      {"200 OK", Framing::kUntilClosed},
      {"204 No Content|Content-Length: 5", Framing::kNoBody},
      {"304 Not Modified|Content-Length: 5", Framing::kNoBody},
      {"103 Early Hints|Transfer-Encoding: chunked", Framing::kNoBody}};
  for (const auto& [lines, framing] : heads) {
    const ResponseHead head = Taken("HTTP/1.1 " + lines);
    EXPECT_EQ(head.framing(), framing) << lines;
    EXPECT_EQ(head.length(), framing == Framing::kLength ? 5u : head.length())
        << lines;
  }
  EXPECT_EQ(Taken("HTTP/1.1 200 OK|Content-Length: 5", true).framing(),
            Framing::kNoBody);
}

TEST(ResponseHead, DoubtsAboutTheBodysEndAreRefused) {
  const std::string ok = "HTTP/1.1 200 OK|";
  for (const char* length :
       {"x", "-1", "+5", "", "5,", "5 5", "5 bytes", "99999999999999999999"}) {
    EXPECT_EQ(Refusal(absl::StrCat(ok, "Content-Length: ", length)),
              "a content-length that is no number")
        << length;
  }
  EXPECT_EQ(Refusal(ok + "Content-Length: 1|Content-Length: 2"),
            "two content-lengths");
  for (const char* other : {"gzip", "gzip, chunked", "chunked;a=b", "x"}) {
    EXPECT_EQ(Refusal(absl::StrCat(ok, "Transfer-Encoding: ", other)),
              "a transfer coding other than chunked");
  }
  EXPECT_EQ(Refusal(ok + "Transfer-Encoding: chunked|Content-Length: 1"),
            "a length and chunks");
  EXPECT_EQ(Refusal("HTTP/1.0 200 OK|Transfer-Encoding: chunked"),
            "chunks in HTTP/1.0");
}

TEST(ResponseHead, SaysWhetherTheConnectionStays) {
  const std::vector<std::pair<std::string, bool>> heads = {
      {"1 200 OK|Content-Length: 0", true},
      {"1 200 OK|Content-Length: 0|Connection: x, CLOSE", false},
      {"1 200 OK|Content-Length: 0|Connection: keep-alive;", true},
      {"1 200 OK|Content-Length: 0|Connection: \"a\" / b", true},
      {"1 200 OK", false},
      {"1 204 X", true},
      {"1 204 X|Content-Length: 0", true},
      {"1 204 X|Content-Length: 3", false},
      {"1 204 X|Transfer-Encoding: chunked", false},
      {"1 304 X|Content-Length: 3", true},
      {"0 200 OK|Content-Length: 0", false},
      {"0 200 OK|Content-Length: 0|Connection: Keep-Alive", true},
      {"0 200 OK|Connection: keep-alive", false}};
  for (const auto& [lines, stays] : heads) {
    EXPECT_EQ(Taken("HTTP/1." + lines).keep_alive(), stays) << lines;
  }
}

}  // namespace
}  // namespace coord
