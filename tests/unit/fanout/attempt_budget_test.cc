#include "server/fanout/attempt_budget.h"

#include <gtest/gtest.h>

namespace coord {
namespace {

TEST(AttemptBudgetTest, StartsFullAndEarnsUpToItsReserve) {
  AttemptBudget budget(0.25, 2);
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

TEST(AttemptBudgetTest, NothingEarnedIsNothingSpent) {
  AttemptBudget budget(0, 0);
  budget.Earn(100);
  EXPECT_FALSE(budget.Spend());
}

}  // namespace
}  // namespace coord
