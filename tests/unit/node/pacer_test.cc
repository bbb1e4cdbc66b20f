#include "server/node/pacer.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/support/manual_loop.h"

namespace coord {
namespace {

class PacerTest : public ::testing::Test {
 protected:
  void Make(const Pace& pace) { pacer_ = std::make_shared<Pacer>(loop_, pace); }

  void Start(int jobs) {
    for (int i = 0; i < jobs; ++i) {
      pacer_->Start([this](Pacer::Permit permit) {
        ++begun_;
        running_.push_back(std::move(permit));
      });
    }
  }

  ManualLoop loop_;
  std::shared_ptr<Pacer> pacer_;
  int begun_ = 0;
  std::vector<Pacer::Permit> running_;
};

TEST_F(PacerTest, BeginsWhatThePaceAllowsAtOnce) {
  Make({.each_turn = 3, .turn = absl::Milliseconds(5)});
  Start(3);
  EXPECT_EQ(begun_, 3);
}

TEST_F(PacerTest, BeginsTheOthersTurnByTurn) {
  Make({.each_turn = 3, .turn = absl::Milliseconds(5)});
  Start(8);
  EXPECT_EQ(begun_, 3);
  loop_.Advance(absl::Milliseconds(5));
  EXPECT_EQ(begun_, 6);
  loop_.Advance(absl::Milliseconds(5));
  EXPECT_EQ(begun_, 8);
}

TEST_F(PacerTest, ATurnThatIsOverDoesNotCount) {
  Make({.each_turn = 3, .turn = absl::Milliseconds(5)});
  Start(3);
  loop_.Advance(absl::Milliseconds(5));
  Start(3);
  EXPECT_EQ(begun_, 6);
}

TEST_F(PacerTest, WaitsForOthersToEnd) {
  Make({.at_once = 2});
  Start(4);
  EXPECT_EQ(begun_, 2);
  loop_.Advance(absl::Minutes(1));
  EXPECT_EQ(begun_, 2);
  running_.clear();
  loop_.RunPosted();
  EXPECT_EQ(begun_, 4);
}

TEST_F(PacerTest, AJobMayEndWhereItBeginsAndStartAnother) {
  Make({.at_once = 1});
  std::string order;
  pacer_->Start([&](Pacer::Permit) {
    order += "a";
    pacer_->Start([&](Pacer::Permit) { order += "c"; });
    order += "b";
  });
  loop_.RunPosted();
  EXPECT_EQ(order, "abc");
}

TEST_F(PacerTest, WhoWaitsWhenItIsDestroyedIsNeverCalled) {
  Make({.at_once = 1});
  Start(2);
  pacer_.reset();
  running_.clear();
  loop_.Advance(absl::Minutes(1));
  EXPECT_EQ(begun_, 1);
}

}  // namespace
}  // namespace coord
