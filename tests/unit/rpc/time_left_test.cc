#include "server/rpc/time_left.h"

#include "gtest/gtest.h"

namespace coord {
namespace {

constexpr absl::Duration kMargin = absl::Milliseconds(50);

class TimeLeftTest : public testing::TestWithParam<gpr_clock_type> {
 protected:
  static absl::Duration Left(gpr_timespec deadline) {
    return TimeLeft(deadline, kMargin);
  }
  static gpr_timespec In(gpr_timespec span) {
    return gpr_time_add(gpr_now(GetParam()), span);
  }
};

TEST_P(TimeLeftTest, FarDeadlinesAreNone) {
  EXPECT_EQ(Left(gpr_inf_future(GetParam())), absl::InfiniteDuration());
  // The largest of Go, the largest of the wire format, 300 years, two years.
  for (const std::int64_t hours : {2'562'047, 99'999'999, 2'628'000, 17'520}) {
    EXPECT_EQ(Left(In(gpr_time_from_hours(hours, GPR_TIMESPAN))),
              absl::InfiniteDuration())
        << hours;
  }
}

TEST_P(TimeLeftTest, TheMarginComesOff) {
  const absl::Duration hour = Left(In(gpr_time_from_hours(1, GPR_TIMESPAN)));
  EXPECT_GT(hour, absl::Minutes(59));
  EXPECT_LE(hour, absl::Hours(1) - kMargin);
  const absl::Duration days =
      Left(In(gpr_time_from_hours(24 * 364, GPR_TIMESPAN)));
  EXPECT_GT(days, absl::Hours(24 * 363));
  EXPECT_LT(days, absl::Hours(24 * 364));
}

TEST_P(TimeLeftTest, NothingIsLeftOfWhatHasPassed) {
  EXPECT_EQ(Left(gpr_inf_past(GetParam())), absl::ZeroDuration());
  EXPECT_EQ(Left(In(gpr_time_from_seconds(-1, GPR_TIMESPAN))),
            absl::ZeroDuration());
}

INSTANTIATE_TEST_SUITE_P(Clocks, TimeLeftTest,
                         testing::Values(GPR_CLOCK_REALTIME,
                                         GPR_CLOCK_MONOTONIC));

}  // namespace
}  // namespace coord
