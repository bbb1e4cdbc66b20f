#include "server/fanout/limits.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace coord {
namespace {

TEST(PermitsTest, AllOrNothing) {
  Permits permits(3);
  EXPECT_TRUE(permits.TryTake(2));
  EXPECT_FALSE(permits.TryTake(2));
  EXPECT_EQ(permits.taken(), 2);
  EXPECT_TRUE(permits.TryTake(1));
  EXPECT_TRUE(permits.TryTake(0));
  permits.Give(3);
  EXPECT_EQ(permits.taken(), 0);
  EXPECT_FALSE(permits.TryTake(4));
}

TEST(PermitsTest, ThreadsTogetherNeverHoldMoreThanTheLimit) {
  Permits permits(5);
  std::atomic<int> held = 0;
  std::atomic<bool> exceeded = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) {
        if (!permits.TryTake(2)) continue;
        if (held.fetch_add(2) + 2 > 5) exceeded = true;
        held.fetch_sub(2);
        permits.Give(2);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(exceeded);
  EXPECT_EQ(permits.taken(), 0);
}

TEST(RetryBudgetTest, StartsFullAndEarnsUpToItsReserve) {
  RetryBudget budget(0.25, 2);
  budget.Earn(1000);
  EXPECT_TRUE(budget.Spend());
  EXPECT_TRUE(budget.Spend());
  EXPECT_FALSE(budget.Spend());
  budget.Earn(3);
  EXPECT_FALSE(budget.Spend());
  budget.Earn(1);
  EXPECT_TRUE(budget.Spend());
  EXPECT_FALSE(budget.Spend());
}

TEST(RetryBudgetTest, NothingEarnedIsNothingSpent) {
  RetryBudget budget(0, 0);
  budget.Earn(100);
  EXPECT_FALSE(budget.Spend());
}

}  // namespace
}  // namespace coord
