// Chunked bodies, whole and in pieces.
#include "server/http/chunked_body.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace coord {
namespace {

struct Outcome {
  absl::Status status;
  bool done = false;
  std::string body;
  std::string rest;  // was not taken
};

// Undoes what comes in pieces of `piece` bytes.
Outcome Undo(const std::string& bytes, std::size_t piece,
             std::uint64_t limit = 1000) {
  ChunkedBody chunks;
  Outcome outcome;
  for (std::size_t at = 0; at < bytes.size() && outcome.status.ok();
       at += piece) {
    outcome.rest += bytes.substr(at, piece);
    std::size_t taken = 0;
    outcome.status = chunks.Take(outcome.rest, limit, taken, outcome.body);
    outcome.rest.erase(0, taken);
  }
  outcome.done = chunks.done();
  return outcome;
}

TEST(ChunkedBody, IsWholeHoweverItComes) {
  for (const char* bytes :
       {"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nX",
        "3;a=\"b;c\"\r\nabc\r\n2 ; d\r\nde\r\n"
        "0;x\r\nT: 1\r\nodd\r\n\r\nX",
        "3   \r\nabc\r\n002\t\r\nde\r\n000  \r\n\r\nX", "3\nabc\n2\nde\n0\n\nX",
        "00000000000000000005\r\nabcde\r\n0\r\n\r\nX",
        "3; =\"\r\nabc\r\n2\r\nde\r\n0\r\n\r\nX"}) {
    for (const std::size_t piece : {1, 2, 3, 100}) {
      const Outcome outcome = Undo(bytes, piece);
      EXPECT_TRUE(outcome.status.ok()) << outcome.status << " " << bytes;
      EXPECT_TRUE(outcome.done) << bytes;
      EXPECT_EQ(outcome.body, "abcde") << bytes;
      EXPECT_EQ(outcome.rest, "X") << bytes;
    }
  }
}

TEST(ChunkedBody, WithoutItsLastLineItIsNotWhole) {
  for (const char* bytes : {"", "3", "3\r\nab", "3\r\nabc\r", "3\r\nabc\r\n",
                            "3\r\nabc\r\n0\r\n", "0\r\nT: 1\r\n"}) {
    const Outcome outcome = Undo(bytes, 1);
    EXPECT_TRUE(outcome.status.ok()) << bytes;
    EXPECT_FALSE(outcome.done) << bytes;
  }
}

TEST(ChunkedBody, SaysWhatIsWrong) {
  const auto refusal = [](const std::string& bytes) {
    const absl::Status status = Undo(bytes, 1).status;
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << bytes;
    EXPECT_EQ(Undo(bytes, 100).status, status) << bytes;
    return std::string(status.message());
  };
  for (const char* size : {"x", "", " 3", "0x3", "3 3", "-3", "3z"}) {
    EXPECT_EQ(refusal(absl::StrCat(size, "\r\nabc\r\n")),
              "a chunk size that is no number")
        << size;
  }
  EXPECT_EQ(refusal("fffffffffffffffff\r\n"), "a chunk size that is too long");
  for (const char* end : {"d\r\n", "\n", "0\r\n\r\n"}) {
    EXPECT_EQ(refusal(absl::StrCat("3\r\nabc", end)),
              "a chunk that is longer than its size")
        << end;
  }
  EXPECT_EQ(refusal("3\nabc\r\n"), "a chunk that is longer than its size");
}

TEST(ChunkedBody, IsOverItsLimitBeforeTheBytesCome) {
  EXPECT_EQ(Undo("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 1, 5).body, "abcde");
  const Outcome outcome = Undo("3\r\nabc\r\n3\r\n", 1, 5);
  EXPECT_EQ(outcome.status,
            absl::ResourceExhaustedError("body is over 5 bytes"));
  EXPECT_EQ(outcome.body, "abc");
}

TEST(ChunkedBody, ItsLinesAreBounded) {
  const std::string much(70 << 10, 'x');
  std::string trailers;
  while (trailers.size() < (70 << 10)) trailers += "name: some value\r\n";
  for (const std::string& bytes :
       {absl::StrCat("1;", much), absl::StrCat("0\r\n", trailers)}) {
    EXPECT_EQ(Undo(bytes, 4096).status,
              absl::InvalidArgumentError("endless chunk line or trailers"));
  }
}

}  // namespace
}  // namespace coord
