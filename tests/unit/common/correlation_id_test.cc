#include "common/correlation_id.h"

#include <gtest/gtest.h>

namespace coord {
namespace {

constexpr const char* kNow = "2026-11-24T02:18:03.899Z";

std::string Next(std::string_view received) {
  return NextCorrelationId(received, "fresh", ParseDate(kNow));
}

TEST(CorrelationIdTest, RaisesTheStep) {
  EXPECT_EQ(Next("abc@4/D"), "abc@5/D");
  EXPECT_EQ(Next("abc@9/2026-01-01T00:00:00.000Z"),
            "abc@10/2026-01-01T00:00:00.000Z");
}

TEST(CorrelationIdTest, AddsWhatIsMissing) {
  EXPECT_EQ(Next("bye"), std::string("bye@0/") + kNow);
  EXPECT_EQ(Next("bye@3"), std::string("bye@4/") + kNow);
  EXPECT_EQ(Next("bye@3/"), std::string("bye@4/") + kNow);
  EXPECT_EQ(Next(""), std::string("fresh@0/") + kNow);
  EXPECT_EQ(Next("@2/D"), "fresh@3/D");
}

TEST(CorrelationIdTest, WhatIsNoStepBelongsToTheName) {
  EXPECT_EQ(Next("a@b"), std::string("a@b@0/") + kNow);
  EXPECT_EQ(Next("a@-1/D"), std::string("a@-1/D@0/") + kNow);
  EXPECT_EQ(Next("a@1234567890/D"), std::string("a@1234567890/D@0/") + kNow);
  EXPECT_EQ(Next("a@/D"), std::string("a@/D@0/") + kNow);
  EXPECT_EQ(Next("a@b@4/D"), "a@b@5/D");
}

TEST(CorrelationIdTest, IsReadAgainByTheNext) {
  std::string id = Next("a@b");
  for (int i = 0; i < 3; ++i) id = Next(id);
  EXPECT_EQ(id, std::string("a@b@3/") + kNow);
}

TEST(CorrelationIdTest, DropsWhatNoHeaderMayCarry) {
  EXPECT_EQ(Next("a\r\nx-evil: 1@2/D\n"), "ax-evil:1@3/D");
  EXPECT_EQ(Next(std::string_view("a\0b\x7f\xff@1/D", 9)), "ab@2/D");
}

TEST(CorrelationIdTest, IsBounded) {
  EXPECT_EQ(Next(std::string(1'000, 'a') + "@1/" + std::string(1'000, 'd')),
            std::string(128, 'a') + "@2/" + std::string(64, 'd'));
}

TEST(DateTest, LooksAsOnTheWireAndComesBack) {
  const absl::Time time = absl::FromUnixMillis(1'795'486'683'899);
  EXPECT_EQ(FormatDate(time), kNow);
  EXPECT_EQ(ParseDate(kNow), time);
  EXPECT_EQ(FormatDate(absl::UnixEpoch()), "1970-01-01T00:00:00.000Z");
}

TEST(DateTest, ReadsOtherPrecisionsAndZones) {
  EXPECT_EQ(ParseDate("2026-11-24T02:18:03Z"),
            ParseDate("2026-11-24T02:18:03.000Z"));
  EXPECT_EQ(ParseDate("2026-11-24T04:18:03.899+02:00"), ParseDate(kNow));
  EXPECT_LT(ParseDate("2026-11-24T02:18:03.8990001Z") - ParseDate(kNow),
            absl::Microseconds(1));
}

TEST(DateTest, WhatIsNoDateIsTheOldest) {
  for (const char* text :
       {"", "today", "2026-11-24", "infinite-future", "infinite-past",
        " 2026-11-24T02:18:03.899Z", "2026-11-24T02:18:03.899Z\n",
        "2026-11-24T02:18:03.899", "2026-13-24T02:18:03.899Z",
        "2026-11-24T02:18:03.899Zx", "1795486683899"}) {
    EXPECT_EQ(ParseDate(text), absl::InfinitePast()) << text;
  }
}

TEST(DateTest, NoTimeIsNoText) {
  EXPECT_EQ(FormatDate(absl::InfinitePast()), "");
  EXPECT_EQ(FormatDate(absl::InfiniteFuture()), "");
}

}  // namespace
}  // namespace coord
