#include "server/fanout/answer_body.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/packed.h"

namespace coord {
namespace {

using Kind = AnswerBody::Kind;

constexpr std::size_t kLimit = 1000;
constexpr char kBom[] = "\xef\xbb\xbf";

class AnswerBodyTest : public testing::Test {
 protected:
  // Reads `body`, which is in body_ then, as `type` in `coding`.
  AnswerBody Read(const std::string& type, const std::string& coding,
                  const std::string& body, int status = 200) {
    headers_ = {{"content-type", type}};
    if (!coding.empty()) headers_.push_back({"content-encoding", coding});
    headers_.push_back({"etag", "\"1\""});
    body_ = body;
    return ReadAnswerBody(status, headers_, body_, kLimit, reader_);
  }
  AnswerBody ReadJson(const std::string& body) {
    return Read("application/json", "", body);
  }
  // Of a good answer.
  std::string DataOf(const std::string& coding, const std::string& body) {
    const AnswerBody read = Read("application/json", coding, body);
    EXPECT_EQ(read.kind, Kind::kJson) << body;
    EXPECT_EQ(read.problem, "");
    return std::string(read.json.data);
  }
  bool IsUntouched(const std::string& body) const {
    return body_ == body && !FindHeader(headers_, "etag").empty();
  }

  HttpHeaders headers_;
  std::string body_;
  NodeBodyReader reader_;
};

TEST_F(AnswerBodyTest, GoodJsonStaysAsItIs) {
  const std::string body = R"({"data":[1,"\ud83d\ude00"]})";
  EXPECT_EQ(DataOf("", body), R"(1,"\ud83d\ude00")");
  EXPECT_TRUE(IsUntouched(body));
}

TEST_F(AnswerBodyTest, AByteOrderMarkIsDropped) {
  EXPECT_EQ(DataOf("", absl::StrCat(kBom, R"({"data":1})")), "1");
  EXPECT_EQ(body_, R"({"data":1})");
  EXPECT_EQ(FindHeader(headers_, "etag"), "");
  const std::string two = absl::StrCat(kBom, kBom, "1");
  EXPECT_EQ(ReadJson(two).kind, Kind::kBad);
  EXPECT_TRUE(IsUntouched(two));
}

TEST_F(AnswerBodyTest, HalfASurrogatePairIsReplaced) {
  for (const auto& [body, mended] :
       {std::pair(R"("\ud83d")", R"("\ufffd")"),
        {R"("\uDE00")", R"("\ufffd")"},
        {R"("\ud83dx")", R"("\ufffdx")"},
        {R"("\ud83d\n")", R"("\ufffd\n")"},
        {R"("\ud83d\ud83d\ude00")", R"("\ufffd\ud83d\ude00")"},
        {R"("\ud83d\ude00\ude00")", R"("\ud83d\ude00\ufffd")"},
        {R"("\\ud83d\ud83d")", R"("\\ud83d\ufffd")"},
        {R"({"\ud83d":"\\\ud83d"})", R"({"\ufffd":"\\\ufffd"})"}}) {
    EXPECT_EQ(DataOf("", absl::StrCat(R"({"data":)", body, "}")), mended);
    EXPECT_EQ(body_, absl::StrCat(R"({"data":)", mended, "}"));
    EXPECT_EQ(FindHeader(headers_, "etag"), "");
  }
}

TEST_F(AnswerBodyTest, NoBodyIsEmptyWhateverIsAnnounced) {
  for (const char* body : {"", " ", "\r\n\t", kBom}) {
    EXPECT_EQ(ReadJson(body).kind, Kind::kEmpty);
  }
  EXPECT_EQ(Read("text/plain", "", "").kind, Kind::kEmpty);
  EXPECT_EQ(Read("text/plain", "", " ").kind, Kind::kNotJson);
  EXPECT_EQ(Read("application/json", "gzip", "").kind, Kind::kEmpty);
  EXPECT_EQ(Read("application/json", "gzip", Gzip("")).kind, Kind::kEmpty);
}

TEST_F(AnswerBodyTest, WhatIsNoJsonIsBadAndStaysAsItCame) {
  for (const std::string body :
       {"{", "<html>", "\"\xff\"", R"(["\ud83d",])", R"("\ud83)",
        "{\"data\":1}x", "NaN", "undefined"}) {
    const AnswerBody read = ReadJson(body);
    EXPECT_EQ(read.kind, Kind::kBad) << body;
    EXPECT_EQ(read.problem, "its answer is not the JSON that it announces");
    EXPECT_TRUE(IsUntouched(body)) << body;
  }
  EXPECT_EQ(Read("text/plain", "", "{").kind, Kind::kNotJson);
}

TEST_F(AnswerBodyTest, PackedJsonIsReadUnpacked) {
  const std::string body = R"({"data":"a"})";
  EXPECT_EQ(DataOf("gzip", Gzip(body)), "\"a\"");
  EXPECT_EQ(body_, body);
  EXPECT_EQ(headers_, (HttpHeaders{{"content-type", "application/json"}}));
  EXPECT_EQ(DataOf("deflate", Packed(body, PackedAs::kRawDeflate)), "\"a\"");
  EXPECT_EQ(DataOf("gzip", Gzip(absl::StrCat(kBom, R"({"data":"\ud83d"})"))),
            R"("\ufffd")");
  EXPECT_EQ(Read("text/plain", "gzip", Gzip("text")).kind, Kind::kNotJson);
  EXPECT_EQ(body_, "text");
}

TEST_F(AnswerBodyTest, NoCodingHidesReadableJson) {
  for (const char* coding : {"utf-8", "br", "identity", "gzip", "deflate"}) {
    EXPECT_EQ(DataOf(coding, R"({"data":1})"), "1") << coding;
  }
  EXPECT_EQ(DataOf("utf-8, gzip", Gzip(R"({"data":1})")), "1");
}

TEST_F(AnswerBodyTest, WhatCannotBeUnpackedIsBadAndStaysAsItCame) {
  const std::string packed = Gzip(R"({"data":1})");
  const std::string cut = packed.substr(0, packed.size() - 1);
  for (const char* type : {"application/json", "text/plain"}) {
    const AnswerBody read = Read(type, "gzip", cut);
    EXPECT_EQ(read.kind, Kind::kBad);
    EXPECT_EQ(read.problem, "its answer is not the gzip that it announces");
    EXPECT_TRUE(IsUntouched(cut));
  }
  const AnswerBody bad = Read("application/json", "identity", "{");
  EXPECT_EQ(bad.kind, Kind::kBad);
  const AnswerBody coded = Read("application/json", "br", "\x8b\x01");
  EXPECT_EQ(coded.kind, Kind::kCoded);
  EXPECT_EQ(coded.problem,
            "its answer is in a content coding that is not known here");
  EXPECT_EQ(Read("text/plain", "br", "\x8b\x01").kind, Kind::kNotJson);
}

TEST_F(AnswerBodyTest, TheLimitIsForWhatIsUnpacked) {
  const AnswerBody read =
      Read("application/json", "gzip", Gzip(std::string(kLimit + 1, ' ')));
  EXPECT_EQ(read.kind, Kind::kTooLarge);
  EXPECT_EQ(read.problem, "its answer is over 1000 bytes once unpacked");
}

TEST_F(AnswerBodyTest, APartThatIsTheWholeIsUnpacked) {
  EXPECT_EQ(Read("application/json", "gzip", Gzip("[1]"), 206).kind,
            Kind::kJson);
  EXPECT_EQ(body_, "[1]");
}

TEST_F(AnswerBodyTest, APartStaysPacked) {
  const std::string part = Gzip("text").substr(4, 6);
  EXPECT_EQ(Read("text/plain", "gzip", part, 206).kind, Kind::kNotJson);
  EXPECT_TRUE(IsUntouched(part));
  EXPECT_EQ(Read("application/json", "", "[1,", 206).kind, Kind::kBad);
}

}  // namespace
}  // namespace coord
