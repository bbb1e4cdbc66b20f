#include "server/core/self_preservation.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/unit/core/records.h"

namespace coord {
namespace {

constexpr absl::Duration kInstant = absl::Nanoseconds(1);

class SelfPreservationTest : public ::testing::Test {
 protected:
  void Fail(const std::string& id, bool held = false,
            const std::string& cluster = "c1") {
    doubt_.Failed({cluster, id}, held, now_);
  }
  void FailMany(int count, bool held = false) {
    for (int i = 0; i < count; ++i) Fail(absl::StrCat("s", i), held);
  }
  bool Judge() {
    return doubt_.Judge([this](const std::string& id) { return sizes_[id]; },
                        now_);
  }
  bool MayEvict(const std::string& id) const {
    return doubt_.MayEvict({"c1", id}, now_);
  }

  absl::Time now_ = At(0);
  std::map<std::string, ClusterSize> sizes_;
  SelfPreservation doubt_{{.crowd = 100}};
};

TEST_F(SelfPreservationTest, NeedsTwoThatFail) {
  sizes_["c1"] = {.servers = 1};
  EXPECT_FALSE(Judge());
  Fail("s0");
  EXPECT_FALSE(Judge());
  EXPECT_TRUE(MayEvict("s0"));
}

TEST_F(SelfPreservationTest, NeedsMoreThanHalf) {
  FailMany(2);
  sizes_["c1"] = {.servers = 4};
  EXPECT_FALSE(Judge());
  sizes_["c1"] = {.servers = 3};
  EXPECT_TRUE(Judge());
  EXPECT_TRUE(doubt_.active());
}

TEST_F(SelfPreservationTest, NeighboursThatAnswerDoNotHideIt) {
  FailMany(2);
  sizes_["c1"] = {.servers = 10, .held = 6};
  EXPECT_FALSE(Judge());
  sizes_["c1"] = {.servers = 10, .held = 7};
  EXPECT_TRUE(Judge());
}

TEST_F(SelfPreservationTest, WhereAllAreHeldHereTheyAreTheOthers) {
  sizes_["c1"] = {.servers = 5, .held = 5};
  FailMany(2, true);
  EXPECT_FALSE(Judge());
  FailMany(3, true);
  EXPECT_TRUE(Judge());
}

TEST_F(SelfPreservationTest, ClustersAreCountedApart) {
  sizes_["c1"] = {.servers = 2};
  sizes_["c2"] = {.servers = 2};
  Fail("s0", false, "c1");
  Fail("s0", false, "c2");
  EXPECT_FALSE(Judge());
  Fail("s1", false, "c2");
  EXPECT_TRUE(Judge());
  EXPECT_FALSE(MayEvict("s0")) << "one cluster is enough to be in doubt";
}

TEST_F(SelfPreservationTest, AFailureCountsForAMinute) {
  sizes_["c1"] = {.servers = 3};
  Fail("s0");
  now_ += absl::Seconds(60);
  Fail("s1");
  EXPECT_TRUE(Judge());
  now_ += kInstant;
  EXPECT_FALSE(Judge());
  Fail("s0");
  EXPECT_TRUE(Judge());
}

TEST_F(SelfPreservationTest, EndsWhenOneAnswers) {
  sizes_["c1"] = {.servers = 3};
  FailMany(2);
  ASSERT_TRUE(Judge());
  doubt_.Settled({"c1", "s0"});
  doubt_.Settled({"c1", "nobody"});
  doubt_.Settled({"c2", "s1"});
  EXPECT_EQ(doubt_.failing(), 1u);
  EXPECT_FALSE(Judge());
  EXPECT_TRUE(MayEvict("s1"));
}

TEST_F(SelfPreservationTest, EndsWhenOthersJoin) {
  sizes_["c1"] = {.servers = 3};
  FailMany(2);
  ASSERT_TRUE(Judge());
  sizes_["c1"] = {.servers = 4};
  EXPECT_FALSE(Judge());
}

TEST_F(SelfPreservationTest, EvictsWhatHasFailedForFiveMinutes) {
  FailMany(2);
  for (int minute = 0; minute < 5; ++minute) {
    ASSERT_TRUE(Judge());
    ASSERT_FALSE(MayEvict("s0"));
    now_ += absl::Minutes(1) - kInstant;
    FailMany(2);
  }
  now_ += 5 * kInstant - kInstant;
  ASSERT_TRUE(Judge());
  EXPECT_FALSE(MayEvict("s0"));
  now_ += kInstant;
  EXPECT_TRUE(MayEvict("s0"));
  EXPECT_FALSE(MayEvict("never probed"));
  EXPECT_FALSE(doubt_.MayEvict({"c2", "s0"}, now_));
}

TEST_F(SelfPreservationTest, AnAnswerBeginsTheFiveMinutesAnew) {
  FailMany(3);
  now_ += absl::Minutes(4);
  doubt_.Settled({"c1", "s0"});
  FailMany(3);
  now_ += absl::Minutes(1);
  FailMany(3);
  ASSERT_TRUE(Judge());
  EXPECT_FALSE(MayEvict("s0"));
  EXPECT_TRUE(MayEvict("s1"));
}

TEST_F(SelfPreservationTest, EvictsOneAMinute) {
  FailMany(4);
  now_ += absl::Minutes(5);
  FailMany(4);
  ASSERT_TRUE(Judge());
  ASSERT_TRUE(MayEvict("s0"));
  doubt_.Evicting(now_);
  EXPECT_FALSE(MayEvict("s1"));
  now_ += absl::Minutes(1) - kInstant;
  EXPECT_FALSE(MayEvict("s1"));
  now_ += kInstant;
  EXPECT_TRUE(MayEvict("s1"));
}

TEST_F(SelfPreservationTest, ACrowdIsAlarmEnough) {
  sizes_["c1"] = {.servers = 100'000};
  FailMany(99);
  EXPECT_FALSE(Judge());
  FailMany(100);
  EXPECT_TRUE(Judge());
  ASSERT_TRUE(doubt_.suspicion());
  EXPECT_EQ(doubt_.suspicion()->failing, 100u);
  EXPECT_EQ(doubt_.suspicion()->cluster_id, "");
}

TEST_F(SelfPreservationTest, TellsOfWhichClusterHowManyFail) {
  sizes_["c1"] = {.servers = 5, .held = 2};
  FailMany(2);
  ASSERT_TRUE(Judge());
  ASSERT_TRUE(doubt_.suspicion());
  EXPECT_EQ(doubt_.suspicion()->cluster_id, "c1");
  EXPECT_EQ(doubt_.suspicion()->failing, 2u);
  EXPECT_EQ(doubt_.suspicion()->of, 3u);
  EXPECT_TRUE(doubt_.suspicion()->elsewhere);
}

}  // namespace
}  // namespace coord
