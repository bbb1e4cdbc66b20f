#include "server/stop_schedule.h"

#include <gtest/gtest.h>

namespace coord {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1000);

TEST(StopScheduleTest, EveryStepComesBeforeTheEnd) {
  for (const absl::Duration drain :
       {absl::ZeroDuration(), absl::Milliseconds(100), absl::Seconds(20)}) {
    for (const bool unregister : {false, true}) {
      const StopSchedule times(kNow, drain, unregister);
      EXPECT_GE(times.drained, kNow + drain);
      EXPECT_LT(times.drained, times.answered);
      EXPECT_LT(times.answered, times.cancelled);
      EXPECT_LT(times.cancelled, times.end);
      EXPECT_EQ(times.end, kNow + drain + absl::Seconds(2));
    }
  }
}

TEST(StopScheduleTest, RemovalsHaveATimeOfTheirOwn) {
  const StopSchedule none(kNow, absl::ZeroDuration(), true);
  EXPECT_EQ(none.unregister_timeout, absl::Milliseconds(500));
  EXPECT_EQ(none.drained, kNow + absl::Milliseconds(500));
  const StopSchedule some(kNow, absl::Seconds(20), true);
  EXPECT_EQ(some.unregister_timeout, absl::Seconds(5));
  EXPECT_EQ(some.drained, kNow + absl::Seconds(20));
}

}  // namespace
}  // namespace coord
