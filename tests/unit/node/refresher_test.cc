#include "server/node/refresher.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/support/manual_loop.h"

namespace coord {
namespace {

class RefresherTest : public ::testing::Test {
 protected:
  void Refresh() {
    refresher_.Refresh(
        "c", [this](const absl::Status& status) { told_.push_back(status); });
  }

  ManualLoop loop_;
  std::vector<Refresher::Done> asked_;
  std::vector<absl::Status> told_;
  Refresher refresher_{
      loop_, absl::Seconds(30),
      [this](const std::string& /*cluster_id*/, Refresher::Done done) {
        asked_.push_back(std::move(done));
      }};
};

TEST_F(RefresherTest, ManyWhoWaitAreOneQuestion) {
  for (int i = 0; i < 3; ++i) Refresh();
  EXPECT_EQ(asked_.size(), 1u);
}

// They may be as many as there are servers.
TEST_F(RefresherTest, EachIsToldInATurnOfItsOwn) {
  for (int i = 0; i < 3; ++i) Refresh();
  std::move(asked_[0])(absl::UnavailableError("down"));
  EXPECT_TRUE(told_.empty());
  EXPECT_EQ(loop_.RunPosted(), 3);
  EXPECT_EQ(told_,
            std::vector<absl::Status>(3, absl::UnavailableError("down")));
}

TEST_F(RefresherTest, OnceToldTheNextQuestionIsANewOne) {
  Refresh();
  std::move(asked_[0])(absl::OkStatus());
  Refresh();
  EXPECT_EQ(asked_.size(), 2u);
}

}  // namespace
}  // namespace coord
