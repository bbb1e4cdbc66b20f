#include "server/core/completion.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace coord {
namespace {

using Kind = CompletionPolicy::Kind;

CompletionTracker Tracker(Kind kind, int n, int callable, int results,
                          int failures) {
  CompletionTracker tracker({kind, n}, callable);
  for (int i = 0; i < results; ++i) tracker.AddResult();
  for (int i = 0; i < failures; ++i) tracker.AddFailure();
  return tracker;
}

bool Met(Kind kind, int n, int callable, int results) {
  return Tracker(kind, n, callable, results, callable - results).PolicyMet();
}

TEST(CompletionTest, BestEffortIsMetByAnyOutcome) {
  EXPECT_TRUE(Met(Kind::kBestEffort, 0, 3, 0));
  EXPECT_TRUE(Met(Kind::kBestEffort, 0, 3, 3));
}

TEST(CompletionTest, AllWantsEveryResult) {
  EXPECT_FALSE(Met(Kind::kAll, 0, 3, 2));
  EXPECT_TRUE(Met(Kind::kAll, 0, 3, 3));
}

TEST(CompletionTest, MajorityIsMoreThanHalf) {
  EXPECT_FALSE(Met(Kind::kMajority, 0, 4, 2));
  EXPECT_TRUE(Met(Kind::kMajority, 0, 4, 3));
  EXPECT_FALSE(Met(Kind::kMajority, 0, 5, 2));
  EXPECT_TRUE(Met(Kind::kMajority, 0, 5, 3));
  EXPECT_FALSE(Met(Kind::kMajority, 0, 1, 0));
  EXPECT_TRUE(Met(Kind::kMajority, 0, 1, 1));
}

TEST(CompletionTest, AtLeastAndFirstWantTheirNumber) {
  for (const Kind kind : {Kind::kAtLeast, Kind::kFirst}) {
    EXPECT_FALSE(Met(kind, 2, 3, 1));
    EXPECT_TRUE(Met(kind, 2, 3, 2));
    EXPECT_TRUE(Met(kind, 2, 3, 3));
  }
}

TEST(CompletionTest, OnlyFirstEndsBeforeEveryOutcome) {
  for (const Kind kind :
       {Kind::kBestEffort, Kind::kAll, Kind::kMajority, Kind::kAtLeast}) {
    EXPECT_FALSE(Tracker(kind, 1, 5, 4, 0).Done());
    EXPECT_FALSE(Tracker(kind, 1, 5, 0, 4).Done());
    EXPECT_TRUE(Tracker(kind, 1, 5, 2, 3).Done());
  }
  EXPECT_FALSE(Tracker(Kind::kFirst, 2, 5, 1, 3).Done());
  EXPECT_TRUE(Tracker(Kind::kFirst, 2, 5, 2, 0).Done());
}

TEST(CompletionTest, FirstThatCanNoLongerBeMetStillWaitsForAll) {
  EXPECT_FALSE(Tracker(Kind::kFirst, 3, 4, 1, 2).Done());
  const auto ended = Tracker(Kind::kFirst, 3, 4, 2, 2);
  EXPECT_TRUE(ended.Done());
  EXPECT_FALSE(ended.PolicyMet());
  EXPECT_EQ(ended.results(), 2);
  EXPECT_EQ(ended.failures(), 2);
}

TEST(CompletionTest, NobodyToCallMeetsWhatAsksForNoNumber) {
  for (const Kind kind : {Kind::kBestEffort, Kind::kAll, Kind::kMajority}) {
    const auto tracker = Tracker(kind, 0, 0, 0, 0);
    EXPECT_TRUE(tracker.CheckPossible().ok());
    EXPECT_TRUE(tracker.Done());
    EXPECT_TRUE(tracker.PolicyMet());
  }
}

TEST(CompletionTest, MoreThanThereAreIsImpossible) {
  for (const Kind kind : {Kind::kAtLeast, Kind::kFirst}) {
    EXPECT_TRUE(Tracker(kind, 3, 3, 0, 0).CheckPossible().ok());
    const absl::Status status = Tracker(kind, 4, 3, 0, 0).CheckPossible();
    EXPECT_TRUE(HasReason(status, Reason::kPolicyImpossible));
    EXPECT_EQ(status.message(),
              "call cluster: the policy needs 4 results, but only 3 servers "
              "can be called");
  }
}

TEST(CompletionTest, VerdictTellsHowManyOfTheExpectedAnswered) {
  EXPECT_EQ(VerdictOf(0, 0), Verdict::kComplete);
  EXPECT_EQ(VerdictOf(3, 3), Verdict::kComplete);
  EXPECT_EQ(VerdictOf(1, 3), Verdict::kPartial);
  EXPECT_EQ(VerdictOf(0, 3), Verdict::kNone);
}

}  // namespace
}  // namespace coord
