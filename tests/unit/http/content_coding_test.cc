#include "server/http/content_coding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/support/packed.h"

namespace coord {
namespace {

using ::testing::ElementsAre;

constexpr std::size_t kLimit = 1000;

class ContentCodingTest : public ::testing::Test {
 protected:
  // What becomes of `body` under this Content-Encoding; the other headers are
  // in headers_.
  std::string Undone(const std::string& coding, std::string body) {
    headers_ = {{"Content-Encoding", coding}};
    status_ = UndoCodings(headers_, body, kLimit);
    return body;
  }
  // That nothing changes, and why.
  void ExpectError(const std::string& coding, const std::string& body,
                   absl::StatusCode code, const std::string& message) {
    EXPECT_EQ(Undone(coding, body), body);
    EXPECT_EQ(status_.code(), code) << coding;
    EXPECT_EQ(std::string(status_.message()), message);
    EXPECT_THAT(headers_, ElementsAre(HttpHeader{"Content-Encoding", coding}));
  }

  HttpHeaders headers_;
  absl::Status status_;
};

TEST_F(ContentCodingTest, GzipAndDeflateAreUndone) {
  const std::string text = "{\"data\":1}";
  for (const char* coding : {"gzip", "GZIP", "x-gzip", " gzip ",
                             "identity, gzip", "gzip, identity", ",gzip,"}) {
    EXPECT_EQ(Undone(coding, Gzip(text)), text) << coding;
    EXPECT_TRUE(headers_.empty()) << coding;
  }
  EXPECT_EQ(Undone("deflate", Packed(text, PackedAs::kZlib)), text);
  EXPECT_EQ(Undone("Deflate", Packed(text, PackedAs::kRawDeflate)), text);
  EXPECT_EQ(Undone("gzip", Gzip("")), "");
}

TEST_F(ContentCodingTest, CodingsAreUndoneFromTheLast) {
  EXPECT_EQ(Undone("deflate, gzip", Gzip(Packed("text", PackedAs::kZlib))),
            "text");
  headers_ = {{"content-encoding", "deflate"}, {"content-encoding", "gzip"}};
  std::string body = Gzip(Packed("text", PackedAs::kZlib));
  EXPECT_TRUE(UndoCodings(headers_, body, kLimit).ok());
  EXPECT_EQ(body, "text");
  std::string deep = "text";
  for (int i = 0; i < 6; ++i) deep = Gzip(deep);
  ExpectError("gzip,gzip,gzip,gzip,gzip,gzip", deep,
              absl::StatusCode::kInvalidArgument,
              "has more than 5 content codings");
}

TEST_F(ContentCodingTest, SeveralMembersAreOneBody) {
  EXPECT_EQ(Undone("gzip", Gzip("one ") + Gzip("") + Gzip("two")), "one two");
}

TEST_F(ContentCodingTest, WhatIsNotKnownStays) {
  for (const char* coding :
       {"br", "zstd", "utf-8", "gzip, br", "identity", ""}) {
    EXPECT_EQ(Undone(coding, "abc"), "abc") << coding;
    EXPECT_TRUE(status_.ok()) << coding;
    EXPECT_EQ(FindHeader(headers_, "content-encoding"), coding);
  }
  EXPECT_EQ(Undone("br, gzip", Gzip("abc")), "abc");
  EXPECT_EQ(FindHeader(headers_, "content-encoding"), "br");
  // Of an answer to HEAD.
  EXPECT_EQ(Undone("gzip", ""), "");
  EXPECT_EQ(FindHeader(headers_, "content-encoding"), "gzip");
}

TEST_F(ContentCodingTest, WhatIsNotOfItsCodingIsTold) {
  const std::string packed = Gzip("some text that is long enough");
  std::string corrupt = packed;
  corrupt[corrupt.size() - 6] ^= 1;  // the checksum
  for (const std::string& body :
       {packed.substr(0, 5), packed.substr(0, packed.size() - 1), corrupt,
        packed + "more", packed + packed.substr(0, 12), std::string("plain")}) {
    ExpectError("gzip", body, absl::StatusCode::kInvalidArgument,
                "is not the gzip that it announces");
  }
  const std::string zlib = Packed("some text", PackedAs::kZlib);
  for (const std::string& body : {zlib.substr(0, zlib.size() - 1), zlib + "x",
                                  std::string("plain"), std::string("x")}) {
    ExpectError("deflate", body, absl::StatusCode::kInvalidArgument,
                "is not the deflate that it announces");
  }
}

TEST_F(ContentCodingTest, TheLimitIsForWhatComesOut) {
  EXPECT_EQ(Undone("gzip", Gzip(std::string(kLimit, 'x'))).size(), kLimit);
  const std::string message = "is over 1000 bytes once unpacked";
  ExpectError("gzip", Gzip(std::string(kLimit + 1, 'x')),
              absl::StatusCode::kOutOfRange, message);
  const std::string bomb = Gzip(std::string(20 << 20, '\0'));
  ExpectError("gzip", bomb, absl::StatusCode::kOutOfRange, message);
  ExpectError("gzip, gzip", Gzip(bomb), absl::StatusCode::kOutOfRange, message);
  ExpectError(
      "gzip",
      Gzip(std::string(kLimit / 2, 'x')) + Gzip(std::string(kLimit, 'x')),
      absl::StatusCode::kOutOfRange, message);
}

TEST_F(ContentCodingTest, HeadersThatToldOfTheBytesGo) {
  headers_ = {{"ETag", "\"1\""},       {"Content-Encoding", "gzip"},
              {"Content-Length", "9"}, {"Content-Digest", "sha-256=:x:"},
              {"Repr-Digest", "x"},    {"Digest", "x"},
              {"Content-MD5", "x"},    {"Accept-Ranges", "bytes"},
              {"Content-Range", "x"},  {"Content-Type", "text/plain"},
              {"Last-Modified", "x"},  {"Content-Language", "en"}};
  std::string body = Gzip("text");
  EXPECT_TRUE(UndoCodings(headers_, body, kLimit).ok());
  EXPECT_THAT(headers_, ElementsAre(HttpHeader{"Content-Type", "text/plain"},
                                    HttpHeader{"Last-Modified", "x"},
                                    HttpHeader{"Content-Language", "en"}));
}

}  // namespace
}  // namespace coord
