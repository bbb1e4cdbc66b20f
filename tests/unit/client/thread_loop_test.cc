#include "client/cpp/thread_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "absl/synchronization/notification.h"

namespace coord {
namespace {

using testing::ElementsAre;

// Runs `task` on the loop and waits for it.
void RunOn(ThreadLoop& loop, EventLoop::Task task) {
  absl::Notification done;
  loop.Post([&] {
    std::move(task)();
    done.Notify();
  });
  done.WaitForNotification();
}

TEST(ThreadLoopTest, RunsPostsInOrderOnItsOwnThread) {
  ThreadLoop loop;
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) {
    loop.Post([&order, i] { order.push_back(i); });
  }
  bool on_loop = false;
  RunOn(loop, [&] { on_loop = loop.OnLoop(); });
  EXPECT_TRUE(on_loop);
  EXPECT_FALSE(loop.OnLoop());
  EXPECT_THAT(order, ElementsAre(0, 1, 2));
}

TEST(ThreadLoopTest, RunsTimersWhenTheyFallDue) {
  ThreadLoop loop;
  std::vector<int> order;
  absl::Notification last;
  RunOn(loop, [&] {
    loop.RunAfter(absl::Milliseconds(2), [&] {
      order.push_back(2);
      last.Notify();
    });
    loop.RunAfter(absl::Milliseconds(1), [&order] { order.push_back(1); });
    loop.RunAfter(absl::Seconds(-1), [&order] { order.push_back(0); });
    EXPECT_TRUE(order.empty());
  });
  last.WaitForNotification();
  EXPECT_THAT(order, ElementsAre(0, 1, 2));
}

TEST(ThreadLoopTest, CancelDestroysTheTask) {
  ThreadLoop loop;
  auto held = std::make_shared<int>();
  RunOn(loop, [&] {
    const TimerId timer = loop.RunAfter(absl::Hours(1), [held] {});
    EXPECT_EQ(held.use_count(), 2);
    loop.Cancel(timer);
    EXPECT_EQ(held.use_count(), 1);
    loop.Cancel(timer);
    loop.Cancel(kNoTimer);
  });
}

TEST(ThreadLoopTest, StopRunsNothingMore) {
  ThreadLoop loop;
  RunOn(loop, [&] { loop.RunAfter(absl::Hours(1), [] { FAIL(); }); });
  loop.Stop();
  auto held = std::make_shared<int>();
  loop.Post([held] { FAIL(); });
  EXPECT_EQ(held.use_count(), 1);
  loop.Stop();
}

}  // namespace
}  // namespace coord
