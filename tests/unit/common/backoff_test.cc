#include "common/backoff.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace coord {
namespace {

struct Range {
  absl::Duration least = absl::InfiniteDuration();
  absl::Duration most = -absl::InfiniteDuration();
};

template <typename F>
Range RangeOf(F draw) {
  std::mt19937_64 random(1);
  Range range;
  for (int i = 0; i < 2'000; ++i) {
    const absl::Duration drawn = draw(random);
    range.least = std::min(range.least, drawn);
    range.most = std::max(range.most, drawn);
  }
  return range;
}

// All draws lie between the two and come close to both.
void ExpectSpans(Range range, absl::Duration least, absl::Duration most) {
  const absl::Duration margin = (most - least) / 50;
  EXPECT_GE(range.least, least);
  EXPECT_LE(range.least, least + margin);
  EXPECT_LE(range.most, most);
  EXPECT_GE(range.most, most - margin);
}

void ExpectBackoff(int attempt, absl::Duration least, absl::Duration most) {
  SCOPED_TRACE(attempt);
  const BackoffPolicy policy{.initial = absl::Milliseconds(100),
                             .max = absl::Seconds(2)};
  ExpectSpans(
      RangeOf([&](auto& random) { return Backoff(policy, attempt, random); }),
      least, most);
}

TEST(BackoffTest, DoublesUpToItsLimitAndDrawsFromTheUpperHalf) {
  ExpectBackoff(1, absl::Milliseconds(50), absl::Milliseconds(100));
  ExpectBackoff(2, absl::Milliseconds(100), absl::Milliseconds(200));
  ExpectBackoff(5, absl::Milliseconds(800), absl::Milliseconds(1600));
  ExpectBackoff(6, absl::Seconds(1), absl::Seconds(2));
}

TEST(BackoffTest, NoAttemptIsTooMany) {
  ExpectBackoff(1'000, absl::Seconds(1), absl::Seconds(2));
  ExpectBackoff(2'000'000'000, absl::Seconds(1), absl::Seconds(2));
}

TEST(BackoffTest, AttemptsCountFromOne) {
  ExpectBackoff(0, absl::Milliseconds(50), absl::Milliseconds(100));
  ExpectBackoff(-2'000'000'000, absl::Milliseconds(50),
                absl::Milliseconds(100));
}

TEST(BackoffTest, InitialOverTheLimitIsCut) {
  const BackoffPolicy policy{.initial = absl::Seconds(10),
                             .max = absl::Seconds(2)};
  ExpectSpans(RangeOf([&](auto& random) { return Backoff(policy, 1, random); }),
              absl::Seconds(1), absl::Seconds(2));
}

TEST(JitterTest, SpansTheFractionOnBothSides) {
  ExpectSpans(RangeOf([](auto& random) {
                return Jitter(absl::Seconds(3), 0.1, random);
              }),
              absl::Milliseconds(2700), absl::Milliseconds(3300));
}

TEST(JitterTest, NoFractionIsNoJitter) {
  std::mt19937_64 random(1);
  EXPECT_EQ(Jitter(absl::Seconds(3), 0, random), absl::Seconds(3));
}

}  // namespace
}  // namespace coord
