#include "server/http/asio_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <ctime>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "tests/support/on_loop.h"

namespace coord {
namespace {

using ::testing::ElementsAre;

TEST(AsioLoopTest, RunsPostedTasksInOrderOnItsThread) {
  AsioLoop loop("test");
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) {
    loop.Post([&order, &loop, i] {
      EXPECT_TRUE(loop.OnLoop());
      order.push_back(i);
    });
  }
  EXPECT_THAT(OnLoop(loop, [&] { return order; }), ElementsAre(0, 1, 2));
  EXPECT_FALSE(loop.OnLoop());
}

TEST(AsioLoopTest, PostNeverRunsInsidePost) {
  AsioLoop loop("test");
  absl::Notification ran;
  OnLoop(loop, [&] {
    loop.Post([&] { ran.Notify(); });
    EXPECT_FALSE(ran.HasBeenNotified());
  });
  ran.WaitForNotification();
}

TEST(AsioLoopTest, TakesTasksFromManyThreads) {
  AsioLoop loop("test");
  constexpr int kThreads = 4;
  constexpr int kTasks = 1000;
  int sum = 0;  // only touched on the loop
  absl::BlockingCounter left(kThreads * kTasks);
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kTasks; ++i) {
        loop.Post([&] {
          ++sum;
          left.DecrementCount();
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  left.Wait();
  EXPECT_EQ(OnLoop(loop, [&] { return sum; }), kThreads * kTasks);
}

TEST(AsioLoopTest, TimersRunInOrderOfTimeAndNotInsideRunAfter) {
  AsioLoop loop("test");
  std::vector<int> order;
  absl::Notification last;
  OnLoop(loop, [&] {
    loop.RunAfter(absl::Milliseconds(20), [&] { last.Notify(); });
    loop.RunAfter(absl::Milliseconds(5), [&] { order.push_back(3); });
    loop.RunAfter(absl::ZeroDuration(), [&] { order.push_back(1); });
    loop.RunAfter(-absl::Seconds(1), [&] { order.push_back(2); });
    EXPECT_TRUE(order.empty());
  });
  last.WaitForNotification();
  EXPECT_THAT(OnLoop(loop, [&] { return order; }), ElementsAre(1, 2, 3));
}

TEST(AsioLoopTest, TimerIsNotEarly) {
  AsioLoop loop("test");
  Promised<absl::Time> ran;
  const absl::Time before = loop.Now();
  OnLoop(loop, [&] {
    loop.RunAfter(absl::Milliseconds(3), [&] { ran.Set(loop.Now()); });
  });
  EXPECT_GE(ran.Take(), before + absl::Milliseconds(3));
}

TEST(AsioLoopTest, CancelledTimerIsDestroyedWithoutRunning) {
  AsioLoop loop("test");
  auto token = std::make_shared<int>(0);
  absl::Notification later;
  OnLoop(loop, [&] {
    const TimerId timer = loop.RunAfter(absl::Milliseconds(1),
                                        [token] { ADD_FAILURE() << "it ran"; });
    loop.Cancel(timer);
    EXPECT_EQ(token.use_count(), 1);
    loop.Cancel(timer);
    loop.Cancel(kNoTimer);
    loop.RunAfter(absl::Milliseconds(2), [&] { later.Notify(); });
  });
  later.WaitForNotification();
}

TEST(AsioLoopTest, EarlierTimerOvertakesTheArmedOne) {
  AsioLoop loop("test");
  absl::Notification ran;
  OnLoop(loop, [&] {
    loop.RunAfter(absl::Hours(1), [] { ADD_FAILURE() << "it ran"; });
    loop.RunAfter(absl::InfiniteDuration(), [] { ADD_FAILURE() << "it ran"; });
    loop.RunAfter(absl::Milliseconds(1), [&] { ran.Notify(); });
  });
  ran.WaitForNotification();
}

TEST(AsioLoopTest, TimerSetByATimerRuns) {
  AsioLoop loop("test");
  absl::Notification ran;
  OnLoop(loop, [&] {
    loop.RunAfter(absl::Milliseconds(1), [&] {
      loop.RunAfter(absl::Milliseconds(1), [&] { ran.Notify(); });
    });
  });
  ran.WaitForNotification();
}

class TurnsTest : public testing::Test {
 protected:
  static constexpr int kMany = 10'000;

  // Has the loop do `start`, which begins many, and waits until all ran.
  template <typename F>
  void RunMany(F start) {
    OnLoop(loop_, start);
    all_.WaitForNotification();
  }
  void OneRan() {
    if (++ran_ == kMany) all_.Notify();
  }

  AsioLoop loop_{"test"};
  int ran_ = 0;
  absl::Notification all_;
};

TEST_F(TurnsTest, ATimerHasItsTurnBetweenManyTasks) {
  int before_timer = kMany;
  RunMany([&] {
    loop_.RunAfter(absl::ZeroDuration(), [&] { before_timer = ran_; });
    for (int i = 0; i < kMany; ++i) loop_.Post([&] { OneRan(); });
  });
  EXPECT_LT(before_timer, kMany);
}

TEST_F(TurnsTest, ATaskHasItsTurnBetweenManyTimers) {
  int before_task = kMany;
  RunMany([&] {
    for (int i = 0; i < kMany; ++i) {
      loop_.RunAfter(absl::ZeroDuration(), [&] {
        if (ran_ == 0) loop_.Post([&] { before_task = ran_; });
        OneRan();
      });
    }
  });
  EXPECT_LT(before_task, kMany);
}

TEST(AsioLoopTest, StopDestroysWhatWaits) {
  AsioLoop loop("test");
  auto token = std::make_shared<int>(0);
  OnLoop(loop, [&] {
    loop.RunAfter(absl::Hours(1), [token] { ADD_FAILURE() << "it ran"; });
  });
  loop.Stop();
  loop.Stop();
  EXPECT_EQ(token.use_count(), 1);
}

TEST(AsioLoopTest, TaskPostedToAStoppedLoopIsDestroyed) {
  AsioLoop loop("test");
  loop.Stop();
  auto token = std::make_shared<int>(0);
  loop.Post([token] { ADD_FAILURE() << "it ran"; });
  EXPECT_EQ(token.use_count(), 1);
}

// What a task owns may post and forget timers while it is destroyed.
TEST(AsioLoopTest, DestroyedTaskMayUseTheLoop) {
  auto loop = std::make_unique<AsioLoop>("test");
  struct Busy {
    explicit Busy(AsioLoop* l) : loop(l) {}
    ~Busy() {
      loop->Post([] {});
      loop->Cancel(TimerId{1});
    }
    AsioLoop* loop;
  };
  OnLoop(*loop, [&] {
    loop->RunAfter(absl::Hours(1),
                   [busy = std::make_unique<Busy>(loop.get())] {});
  });
  loop.reset();
}

TEST(AsioLoopTest, NameShowsAndIsCut) {
  AsioLoop loop("a name that is too long");
  const std::string name = OnLoop(loop, [] {
    char buffer[16];
    pthread_getname_np(pthread_self(), buffer, sizeof buffer);
    return std::string(buffer);
  });
  EXPECT_EQ(name, "a name that is ");
}

double ThreadCpuSeconds() {
  timespec spent;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
  return static_cast<double>(spent.tv_sec) +
         1e-9 * static_cast<double>(spent.tv_nsec);
}

TEST(AsioLoopTest, KnowsHowBusyItWas) {
  if (access("/proc/thread-self/schedstat", R_OK) != 0) {
    GTEST_SKIP() << "this system does not tell";
  }
  AsioLoop loop("test");
  absl::Notification done;
  double first = 1;
  double busy = 0;
  loop.Post([&] {
    first = loop.Load();
    const double start = ThreadCpuSeconds();
    while (ThreadCpuSeconds() < start + 0.02) {
    }
    busy = loop.Load();
    done.Notify();
  });
  done.WaitForNotification();
  EXPECT_EQ(first, 0);
  EXPECT_GT(busy, 0);
  EXPECT_LE(busy, 1);
}

}  // namespace
}  // namespace coord
