#include "server/http/timer_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace coord {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1000);

absl::Time At(int seconds) { return kStart + absl::Seconds(seconds); }

class TimerQueueTest : public ::testing::Test {
 protected:
  TimerId Add(int seconds) {
    return queue_.Add(At(seconds),
                      [this, seconds] { ran_.push_back(seconds); });
  }
  void RunDue(absl::Time now) {
    while (TimerQueue::Task task = queue_.TakeDue(now)) std::move(task)();
  }

  TimerQueue queue_;
  std::vector<int> ran_;
};

TEST_F(TimerQueueTest, RunsInOrderOfTimeThenOfAdding) {
  for (const int seconds : {3, 1, 2, 1}) Add(seconds);
  queue_.Add(At(1), [this] { ran_.push_back(-1); });
  RunDue(At(2));
  EXPECT_THAT(ran_, ::testing::ElementsAre(1, 1, -1, 2));
  EXPECT_EQ(queue_.Next(), At(3));
}

TEST_F(TimerQueueTest, EmptyQueueIsNeverDue) {
  EXPECT_EQ(queue_.Next(), absl::InfiniteFuture());
  EXPECT_FALSE(queue_.TakeDue(absl::InfiniteFuture()));
}

TEST_F(TimerQueueTest, RemovedTimerNeverRunsAndIsNotNext) {
  const TimerId first = Add(1);
  Add(2);
  EXPECT_TRUE(queue_.Remove(first));
  EXPECT_EQ(queue_.Next(), At(2));
  RunDue(At(5));
  EXPECT_THAT(ran_, ::testing::ElementsAre(2));
}

TEST_F(TimerQueueTest, RemoveIsHarmlessForWhatIsGone) {
  const TimerId timer = Add(1);
  RunDue(At(1));
  EXPECT_FALSE(queue_.Remove(timer));
  EXPECT_FALSE(queue_.Remove(kNoTimer));
}

TEST_F(TimerQueueTest, RemoveDestroysTheTask) {
  auto token = std::make_shared<int>(0);
  const TimerId timer = queue_.Add(At(1), [token] {});
  queue_.Remove(timer);
  EXPECT_EQ(token.use_count(), 1);
}

TEST_F(TimerQueueTest, ForgottenTimersDoNotPileUp) {
  Add(1);
  for (int i = 0; i < 100'000; ++i) queue_.Remove(Add(1000));
  EXPECT_LT(queue_.heap_size(), 200u);
  RunDue(At(1));
  EXPECT_THAT(ran_, ::testing::ElementsAre(1));
}

}  // namespace
}  // namespace coord
