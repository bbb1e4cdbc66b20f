// What callers can make a membership remember has a limit over all clusters.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/text_view.h"
#include "server/core/membership.h"
#include "tests/unit/core/records.h"

namespace coord {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = WatchEvent::Kind;

const ClusterIdentity kBusy{"c2", "mBusy", "http://busy"};

// One that counts as about a kilobyte.
Server LargeRecord(const std::string& id, int date) {
  Server server = Record(id, date);
  server.location_json = std::string(700, ' ');
  return server;
}

class MembershipLimitsTest : public ::testing::Test {
 protected:
  explicit MembershipLimitsTest(MembershipOptions options = Small())
      : membership_(options, "life-1") {}

  static MembershipOptions Small() {
    MembershipOptions options;
    options.limits.change_bytes = 8 << 10;
    options.limits.tombstones = 3;
    options.max_clusters = 2;
    return options;
  }

  std::unique_ptr<Watch> Open(std::string_view type, std::string_view id = "",
                              std::string_view token = "") {
    auto watch = membership_.OpenWatch(type, id, token, [] {});
    EXPECT_TRUE(watch.ok()) << watch.status();
    return *std::move(watch);
  }
  void Change(const ClusterIdentity& cluster, int date) {
    membership_.Apply(cluster, Joined(LargeRecord("a", date)), At(date));
  }
  void Found(const std::string& id, int date) {
    membership_.Apply({id, "mTest", "http://" + id}, Joined(Record("s", 1)),
                      At(date));
  }
  void Empty(const std::string& id, int date) {
    membership_.Apply({id, "mTest", "http://" + id}, Left(Record("s", 1)),
                      At(date));
  }
  std::vector<std::string> ClusterIds() {
    std::vector<std::string> ids;
    for (const SnapshotPtr& cluster : membership_.List()) {
      ids.push_back(cluster->identity.id);
    }
    return ids;
  }

  Membership membership_;
};

// --- changes -----------------------------------------------------------------

TEST_F(MembershipLimitsTest, ABusyClusterPushesOutTheOldChangesOfOthers) {
  Change(kCluster, 1);
  auto behind = Open("mTest");
  auto up_to_date = Open("mTest");
  EXPECT_EQ(behind->Next().kind, Kind::kSnapshot);
  EXPECT_EQ(up_to_date->Next().kind, Kind::kSnapshot);
  Change(kCluster, 2);
  EXPECT_EQ(up_to_date->Next().kind, Kind::kChange);

  for (int i = 1; i <= 10; ++i) Change(kBusy, i);

  WatchEvent event = behind->Next();
  ASSERT_EQ(event.kind, Kind::kReset);
  EXPECT_EQ(event.reset_cause, ResetCause::kSlowWatcher);
  event = behind->Next();
  ASSERT_EQ(event.kind, Kind::kSnapshot);
  EXPECT_EQ(event.snapshot->Find("a")->version.text, "v2");
  EXPECT_EQ(behind->Next().kind, Kind::kNothing);
  EXPECT_EQ(up_to_date->Next().kind, Kind::kNothing);
  Change(kCluster, 3);
  EXPECT_EQ(behind->Next().kind, Kind::kChange);
  EXPECT_EQ(up_to_date->Next().kind, Kind::kChange);
}

TEST_F(MembershipLimitsTest, WhatIsWithinTheLimitIsAllThere) {
  auto watch = Open("mTest");
  watch->Next();
  Change(kCluster, 1);
  for (int i = 1; i <= 5; ++i) Change(kBusy, i);
  EXPECT_EQ(watch->Next().kind, Kind::kChange);
}

TEST_F(MembershipLimitsTest, ATokenWhoseChangesArePushedOutMeansAReset) {
  Change(kCluster, 1);
  std::string token;
  {
    auto watch = Open("mTest");
    token = watch->Next().resume_token;
  }
  Change(kCluster, 2);
  for (int i = 1; i <= 10; ++i) Change(kBusy, i);

  auto watch = Open("mTest", "", token);
  const WatchEvent event = watch->Next();
  ASSERT_EQ(event.kind, Kind::kReset);
  EXPECT_EQ(event.reset_cause, ResetCause::kTokenExpired);
}

TEST_F(MembershipLimitsTest, AChangeThatIsOverTheLimitByItselfIsNoSilence) {
  Change(kCluster, 1);
  auto watch = Open("mTest");
  watch->Next();
  Server huge = Record("a", 2);
  huge.location_json = std::string(20'000, ' ');
  membership_.Apply(kCluster, Joined(huge), At(2));
  EXPECT_EQ(watch->Next().kind, Kind::kReset);
  EXPECT_EQ(watch->Next().snapshot->Find("a")->version.text, "v2");
}

// --- tombstones --------------------------------------------------------------

TEST_F(MembershipLimitsTest, TheOldestTombstoneGoesFirst) {
  for (const char* id : {"a", "b", "c", "d"}) {
    membership_.Apply(kCluster, Joined(Record(id, 5)), At(5));
    membership_.Remove({"c1", id}, ChangeType::kLeft, At(6));
  }
  membership_.MergeJoin("c1", {Record("a", 5), Record("b", 5), Record("d", 5)},
                        At(7));
  EXPECT_THAT(Ids(**membership_.Snapshot("", "c1")), ElementsAre("a"));
}

TEST_F(MembershipLimitsTest, WhoComesAndGoesLeavesOneTombstone) {
  membership_.Apply(kCluster, Joined(Record("a", 5)), At(5));
  membership_.Remove({"c1", "a"}, ChangeType::kLeft, At(6));
  for (int i = 0; i < 10; ++i) {
    membership_.Apply(kCluster, Joined(Record("b", 5 + i)), At(7));
    membership_.Remove({"c1", "b"}, ChangeType::kLeft, At(7));
  }
  membership_.MergeJoin("c1", {Record("a", 5)}, At(8));
  EXPECT_THAT(Ids(**membership_.Snapshot("", "c1")), IsEmpty());
}

// --- clusters ----------------------------------------------------------------

TEST_F(MembershipLimitsTest, OverTheLimitTheOneGoesThatHasBeenEmptyForLongest) {
  Found("c1", 1);
  Found("c2", 1);
  Empty("c2", 2);
  Empty("c1", 3);
  Found("c3", 4);
  EXPECT_THAT(ClusterIds(), ElementsAre("c1", "c3"));
}

TEST_F(MembershipLimitsTest, WhatIsInUseStays) {
  Found("c1", 1);
  Empty("c1", 1);
  Found("c2", 1);
  Empty("c2", 1);
  membership_.SetHeld({"c1", "mine"}, true);
  auto watch = Open("", "c2");
  Found("c3", 2);
  EXPECT_THAT(ClusterIds(), ElementsAre("c1", "c2", "c3"));
  watch.reset();
  Found("c4", 3);
  EXPECT_THAT(ClusterIds(), ElementsAre("c1", "c3", "c4"));
  membership_.SetHeld({"c1", "mine"}, false);
  Found("c5", 4);
  EXPECT_THAT(ClusterIds(), ElementsAre("c3", "c4", "c5"));
}

TEST_F(MembershipLimitsTest, RoomIsForThoseThatAreThereOrHaveAPlace) {
  Found("c1", 1);
  EXPECT_TRUE(membership_.CheckRoom("mTest", "http://new").ok());
  Found("c2", 1);
  const absl::Status full = membership_.CheckRoom("mTest", "http://new");
  EXPECT_TRUE(HasReason(full, Reason::kTooManyClusters)) << full;
  EXPECT_EQ(StdView(full.message()),
            "create cluster of type mTest: 2 clusters are in use, which is the "
            "limit (--max-clusters)");
  EXPECT_TRUE(membership_.CheckRoom("mTest", "http://c1").ok());
  EXPECT_FALSE(membership_.CheckRoom("mOther", "http://c1").ok());
  Empty("c2", 2);
  EXPECT_TRUE(membership_.CheckRoom("mTest", "http://new").ok());
}

TEST_F(MembershipLimitsTest, AWatchGoesOnWithTheClusterThatFollows) {
  Found("c1", 1);
  auto watch = Open("mTest");
  EXPECT_EQ(watch->Next().cluster.id, "c1");
  Empty("c1", 2);
  EXPECT_EQ(watch->Next().kind, Kind::kChange);
  EXPECT_EQ(watch->Next().kind, Kind::kNothing);
  Found("c2", 3);
  const WatchEvent event = watch->Next();
  ASSERT_EQ(event.kind, Kind::kChange);
  EXPECT_EQ(event.cluster.id, "c2");
}

TEST_F(MembershipLimitsTest, WatchedIsWhatSomebodyFollowsOrWaitsFor) {
  Found("c1", 1);
  {
    auto by_type = Open("mTest");
    auto by_id = Open("", "c9");
    auto again = Open("", "c9");
    EXPECT_TRUE(membership_.IsWatched("c1"));
    EXPECT_TRUE(membership_.IsWatched("c9"));
    again.reset();
    EXPECT_TRUE(membership_.IsWatched("c9"));
  }
  EXPECT_FALSE(membership_.IsWatched("c1"));
  EXPECT_FALSE(membership_.IsWatched("c9"));
}

TEST_F(MembershipLimitsTest, CountsFollow) {
  Found("c1", 1);
  membership_.Apply(kBusy, Joined(Record("a", 1)), At(1));
  membership_.Apply(kBusy, Joined(Record("b", 1)), At(1));
  EXPECT_EQ(membership_.Count().clusters, 2u);
  EXPECT_EQ(membership_.Count().servers, 3u);
  membership_.Replace(kBusy, {}, membership_.Mark(), At(2));
  EXPECT_EQ(membership_.Count().servers, 1u);
  membership_.Expire(At(10'000));
  EXPECT_EQ(membership_.Count().clusters, 1u);
}

// --- members that only peers speak of ----------------------------------------

class PeersLimitTest : public MembershipLimitsTest {
 protected:
  PeersLimitTest() : MembershipLimitsTest(Tight()) {}

  static MembershipOptions Tight() {
    MembershipOptions options;
    options.limits.member_bytes = 2500;
    return options;
  }
};

TEST_F(PeersLimitTest, JoinsBeyondTheLimitAreRefusedAndCounted) {
  membership_.Replace(kCluster, {LargeRecord("a", 1)}, membership_.Mark(),
                      At(1));
  const auto outcome = membership_.MergeJoin(
      "c1", {LargeRecord("a", 2), LargeRecord("b", 1), LargeRecord("c", 1)},
      At(2));
  EXPECT_EQ(outcome.refused, 1u);
  EXPECT_THAT(Ids(**membership_.Snapshot("", "c1")), ElementsAre("a", "b"));
  // The authority knows best.
  membership_.Replace(
      kCluster, {LargeRecord("a", 2), LargeRecord("b", 1), LargeRecord("c", 1)},
      membership_.Mark(), At(3));
  EXPECT_EQ((*membership_.Snapshot("", "c1"))->servers.size(), 3u);
}

}  // namespace
}  // namespace coord
