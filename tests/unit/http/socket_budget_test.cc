#include "server/http/socket_budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "tests/support/manual_loop.h"

namespace coord {
namespace {

using ::testing::ElementsAre;

class SocketBudgetTest : public ::testing::Test {
 protected:
  // Waits, and notes `who` and the permit when its turn comes.
  std::shared_ptr<SocketBudget::Place> Wait(int who) {
    return budget_.Wait(loop_, [this, who](SocketBudget::Permit permit) {
      turns_.push_back(who);
      held_.push_back(std::move(permit));
    });
  }

  SocketBudget budget_{1};
  ManualLoop loop_;
  std::vector<int> turns_;
  std::vector<SocketBudget::Permit> held_;
};

TEST_F(SocketBudgetTest, APermitIsGivenBackByItsEnd) {
  {
    const SocketBudget::Permit permit = budget_.TryTake();
    EXPECT_TRUE(permit);
    EXPECT_FALSE(budget_.TryTake());
  }
  EXPECT_TRUE(budget_.TryTake());
}

TEST_F(SocketBudgetTest, AMovedPermitIsOne) {
  SocketBudget::Permit permit = budget_.TryTake();
  SocketBudget::Permit other = std::move(permit);
  EXPECT_FALSE(budget_.TryTake());
  other = {};
  EXPECT_TRUE(budget_.TryTake());
}

TEST_F(SocketBudgetTest, WaitersHaveTheirTurnInOrder) {
  SocketBudget::Permit first = budget_.TryTake();
  const auto one = Wait(1);
  const auto two = Wait(2);
  EXPECT_TRUE(budget_.wanted());
  first = {};
  loop_.RunPosted();
  EXPECT_THAT(turns_, ElementsAre(1));
  EXPECT_TRUE(budget_.wanted());
  held_.clear();
  loop_.RunPosted();
  EXPECT_THAT(turns_, ElementsAre(1, 2));
  EXPECT_FALSE(budget_.wanted());
}

TEST_F(SocketBudgetTest, NobodyOvertakesWhoWaits) {
  SocketBudget::Permit first = budget_.TryTake();
  const auto one = Wait(1);
  first = {};
  EXPECT_FALSE(budget_.TryTake());
  loop_.RunPosted();
  EXPECT_THAT(turns_, ElementsAre(1));
}

TEST_F(SocketBudgetTest, WhoLeavesIsPassedOver) {
  SocketBudget::Permit first = budget_.TryTake();
  auto one = Wait(1);
  auto two = Wait(2);
  const auto three = Wait(3);
  one.reset();
  first = {};
  two.reset();  // whose turn it was, though nobody had told it
  loop_.RunPosted();
  loop_.RunPosted();
  EXPECT_THAT(turns_, ElementsAre(3));
}

TEST_F(SocketBudgetTest, WaitingWhereOneIsFreeIsGrantedLater) {
  const auto one = Wait(1);
  EXPECT_FALSE(budget_.wanted());
  EXPECT_THAT(turns_, ElementsAre());
  loop_.RunPosted();
  EXPECT_THAT(turns_, ElementsAre(1));
}

}  // namespace
}  // namespace coord
