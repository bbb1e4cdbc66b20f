#include "server/heartbeat.h"

#include <gtest/gtest.h>

namespace coord {
namespace {

constexpr absl::Duration kMost = absl::Milliseconds(300);

absl::Time At(int milliseconds) {
  return absl::FromUnixSeconds(1000) + absl::Milliseconds(milliseconds);
}

TEST(StandstillRecordTest, BeatsInTimeAreNoStandstill) {
  StandstillRecord record(kMost, At(0));
  for (int ms = 50; ms < 10'000; ms += 300) {
    EXPECT_EQ(record.Beat(At(ms)), absl::ZeroDuration());
    EXPECT_EQ(record.Last(At(ms + 300)), absl::InfinitePast());
  }
}

TEST(StandstillRecordTest, AGapEndsWithTheBeatThatEndsIt) {
  StandstillRecord record(kMost, At(0));
  EXPECT_EQ(record.Beat(At(50)), absl::ZeroDuration());
  EXPECT_EQ(record.Beat(At(5'000)), absl::Milliseconds(4'950));
  EXPECT_EQ(record.Beat(At(5'050)), absl::ZeroDuration());
  EXPECT_EQ(record.Last(At(5'060)), At(5'000));
  EXPECT_EQ(record.Beat(At(9'000)), absl::Milliseconds(3'950));
  EXPECT_EQ(record.Last(At(9'001)), At(9'000));
}

// Another thread may be the first to run again.
TEST(StandstillRecordTest, AGapThatNoBeatHasEndedIsStillOn) {
  StandstillRecord record(kMost, At(0));
  EXPECT_EQ(record.Last(At(300)), absl::InfinitePast());
  EXPECT_EQ(record.Last(At(301)), At(301));
  EXPECT_EQ(record.Last(At(700)), At(700));
}

}  // namespace
}  // namespace coord
