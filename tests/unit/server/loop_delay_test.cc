#include "server/loop_delay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/support/manual_loop.h"

namespace coord {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::SizeIs;

class LoopDelayTest : public ::testing::Test {
 protected:
  LoopDelayTest() { loop_.RunPosted(); }

  ManualLoop loop_;
  std::vector<absl::Duration> told_;
  LoopDelay delay_{loop_,
                   [this](absl::Duration late) { told_.push_back(late); }};
};

TEST_F(LoopDelayTest, AnIdleLoopIsNeverLate) {
  loop_.Advance(absl::Seconds(1));
  EXPECT_THAT(told_, SizeIs(50));
  EXPECT_THAT(told_, Each(absl::ZeroDuration()));
}

TEST_F(LoopDelayTest, EachTimeThatFellDueWhileTheLoopWasBusyCounts) {
  loop_.Advance(absl::Milliseconds(10));
  loop_.Stall(absl::Milliseconds(60));
  loop_.Advance(absl::ZeroDuration());
  EXPECT_THAT(told_, ElementsAre(absl::Milliseconds(50), absl::Milliseconds(30),
                                 absl::Milliseconds(10)));
  told_.clear();
  loop_.Advance(absl::Milliseconds(20));
  EXPECT_THAT(told_, ElementsAre(absl::ZeroDuration()));
}

}  // namespace
}  // namespace coord
