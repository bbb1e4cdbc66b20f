#include "server/core/membership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.h"
#include "tests/unit/core/records.h"

namespace coord {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class MembershipTest : public ::testing::Test {
 protected:
  SnapshotPtr Now() { return *membership_.Snapshot("", "c1"); }
  ServerPtr Find(std::string_view id) { return Now()->Find(id); }
  void Replace(std::vector<Server> servers) {
    membership_.Replace(kCluster, std::move(servers), membership_.Mark(),
                        At(0));
  }

  Membership membership_{{}, "life-1"};
};

// --- fed by an authority -----------------------------------------------------

TEST_F(MembershipTest, PushedChangesBuildTheCluster) {
  membership_.Apply(kCluster, Joined(Record("b", 1)), At(1));
  membership_.Apply(kCluster, Joined(Record("a", 2)), At(2));
  const SnapshotPtr snapshot = Now();
  EXPECT_EQ(snapshot->identity, kCluster);
  EXPECT_THAT(Ids(*snapshot), ElementsAre("a", "b"));
  EXPECT_EQ(snapshot->update_time, At(2));
  EXPECT_EQ(*snapshot->Find("b"), Record("b", 1));
  EXPECT_EQ(snapshot->Find("c"), nullptr);
}

TEST_F(MembershipTest, EqualRecordIsNoChange) {
  membership_.Apply(kCluster, Joined(Record("a", 1)), At(1));
  const SnapshotPtr before = Now();
  membership_.Apply(kCluster, Joined(Record("a", 1)), At(2));
  membership_.Apply(kCluster, Left(Record("stranger", 1)), At(2));
  Replace({Record("a", 1)});
  EXPECT_EQ(Now(), before);
  EXPECT_EQ(membership_.Mark(), before->revision);
}

TEST_F(MembershipTest, SummaryCountsWhatTheSnapshotHolds) {
  Server node = Record("n", 1);
  node.node_api = NodeApi::kYes;
  Server plain = Record("p", 1);
  plain.node_api = NodeApi::kNo;
  membership_.Apply(kCluster, Joined(node), At(1));
  membership_.Apply(kCluster, Joined(plain), At(2));
  ClusterSummary summary = *membership_.Summary("", "c1");
  EXPECT_EQ(summary.identity, kCluster);
  EXPECT_EQ(summary.servers, 2u);
  EXPECT_EQ(summary.node_api_servers, 1u);
  EXPECT_EQ(summary.held, 0u);
  membership_.SetHeld({"c1", "n"}, true);
  EXPECT_EQ(membership_.Summary("", "c1")->held, 1u);
  EXPECT_EQ(summary.revision, Now()->revision);
  EXPECT_EQ(summary.update_time, At(2));

  plain.node_api = NodeApi::kYes;
  plain.version = {"changed"};
  membership_.Apply(
      kCluster, {ChangeType::kUpdated, std::make_shared<Server>(plain)}, At(3));
  EXPECT_EQ(membership_.Summary("", "c1")->node_api_servers, 2u);
  membership_.Apply(kCluster, Left(node), At(4));
  summary = *membership_.Summary("", "c1");
  EXPECT_EQ(summary.servers, 1u);
  EXPECT_EQ(summary.node_api_servers, 1u);
  EXPECT_TRUE(HasReason(membership_.Summary("", "c9").status(),
                        Reason::kClusterNotFound));
}

TEST_F(MembershipTest, SnapshotsAreImmutable) {
  membership_.Apply(kCluster, Joined(Record("a", 1)), At(1));
  const SnapshotPtr before = Now();
  membership_.Apply(kCluster, Left(Record("a", 1)), At(2));
  EXPECT_THAT(Ids(*before), ElementsAre("a"));
  EXPECT_THAT(Now()->servers, IsEmpty());
  EXPECT_GT(Now()->revision, before->revision);
}

TEST_F(MembershipTest, AnswerReplacesTheList) {
  Replace({Record("a", 1), Record("b", 1)});
  Replace({Record("b", 2), Record("c", 1)});
  EXPECT_THAT(Ids(*Now()), ElementsAre("b", "c"));
  EXPECT_EQ(Find("b")->version.text, "v2");
}

TEST_F(MembershipTest, AnswerWinsOverWhatWasSaidBeforeItsRequest) {
  Replace({Record("a", 5), Record("b", 5)});
  membership_.MergeLeave("c1", "b", At(6));
  Replace({Record("a", 3), Record("b", 5)});
  EXPECT_EQ(Find("a")->update_time, At(3));
  EXPECT_NE(Find("b"), nullptr);
}

TEST_F(MembershipTest, AnswerKeepsJoinsThatCameAfterItsRequest) {
  Replace({Record("a", 1)});
  const std::int64_t mark = membership_.Mark();
  membership_.MergeJoin("c1", {Record("b", 2)}, At(2));
  membership_.Replace(kCluster, {Record("a", 1)}, mark, At(3));
  EXPECT_THAT(Ids(*Now()), ElementsAre("a", "b"));
}

TEST_F(MembershipTest, AnswerKeepsUpdatesThatCameAfterItsRequest) {
  Replace({Record("a", 1)});
  const std::int64_t mark = membership_.Mark();
  membership_.MergeJoin("c1", {Record("a", 5)}, At(2));
  membership_.Replace(kCluster, {Record("a", 1)}, mark, At(3));
  EXPECT_EQ(Find("a")->update_time, At(5));
  membership_.Replace(kCluster, {Record("a", 6)}, mark, At(3));
  EXPECT_EQ(Find("a")->update_time, At(6));
}

TEST_F(MembershipTest, AnswerDoesNotBringBackWhoLeftAfterItsRequest) {
  Replace({Record("a", 1), Record("b", 1)});
  const std::int64_t mark = membership_.Mark();
  membership_.MergeLeave("c1", "b", At(2));
  membership_.Replace(kCluster, {Record("a", 1), Record("b", 1)}, mark, At(3));
  EXPECT_THAT(Ids(*Now()), ElementsAre("a"));
}

TEST_F(MembershipTest, AnswerBringsBackWhoLeftAndRegisteredAgain) {
  Replace({Record("a", 1), Record("b", 1)});
  const std::int64_t mark = membership_.Mark();
  membership_.MergeLeave("c1", "b", At(2));
  membership_.Replace(kCluster, {Record("a", 1), Record("b", 4)}, mark, At(5));
  EXPECT_EQ(Find("b")->update_time, At(4));
}

TEST_F(MembershipTest, AnswersThatOvertookEachOtherLoseNobody) {
  // Two registrations of this process asked at once; the later answer is the
  // one that was formed earlier.
  const std::int64_t mark = membership_.Mark();
  membership_.Replace(kCluster, {Record("a", 1), Record("b", 2)}, mark, At(3));
  membership_.Replace(kCluster, {Record("a", 1)}, mark, At(3));
  EXPECT_THAT(Ids(*Now()), ElementsAre("a", "b"));
}

TEST_F(MembershipTest, ListThatNamesAServerTwiceMeansTheNewer) {
  Replace({Record("a", 2), Record("a", 9), Record("a", 5)});
  const std::int64_t revision = Now()->revision;
  EXPECT_EQ(Find("a")->update_time, At(9));
  Replace({Record("a", 5), Record("a", 9)});
  EXPECT_EQ(Now()->revision, revision);
}

TEST_F(MembershipTest, HeldRegistrationMissingFromAnAnswerIsContested) {
  membership_.SetHeld({"c1", "mine"}, true);
  Replace({Record("mine", 1), Record("other", 1)});
  const auto outcome = membership_.Replace(kCluster, {Record("new", 1)},
                                           membership_.Mark(), At(2));
  EXPECT_THAT(outcome.contested, ElementsAre("mine"));
  EXPECT_FALSE(outcome.unknown_cluster);
  EXPECT_THAT(Ids(*Now()), ElementsAre("mine", "new"));
}

TEST_F(MembershipTest,
       HeldRegistrationThatJoinedAfterTheRequestIsNotContested) {
  membership_.SetHeld({"c1", "mine"}, true);
  const std::int64_t mark = membership_.Mark();
  membership_.Replace(kCluster, {Record("mine", 1)}, mark, At(1));
  const auto outcome =
      membership_.Replace(kCluster, {Record("other", 1)}, mark, At(1));
  EXPECT_THAT(outcome.contested, IsEmpty());
  EXPECT_THAT(Ids(*Now()), ElementsAre("mine", "other"));
}

TEST_F(MembershipTest, HeldRegistrationThatNeverWasThereIsNotContested) {
  membership_.SetHeld({"c1", "pending"}, true);
  const auto outcome = membership_.Replace(kCluster, {Record("other", 1)},
                                           membership_.Mark(), At(1));
  EXPECT_THAT(outcome.contested, IsEmpty());
}

TEST_F(MembershipTest, RegistrationNoLongerHeldIsRemovedByAnAnswer) {
  membership_.SetHeld({"c1", "mine"}, true);
  Replace({Record("mine", 1)});
  membership_.SetHeld({"c1", "mine"}, false);
  Replace({});
  EXPECT_THAT(Now()->servers, IsEmpty());
}

TEST_F(MembershipTest, AuthorityMovesAClusterToAnotherUrl) {
  Replace({Record("a", 1)});
  ClusterIdentity moved = kCluster;
  moved.public_base_url = "https://elsewhere/mTest/v1";
  membership_.Replace(moved, {Record("a", 1)}, membership_.Mark(), At(1));
  EXPECT_EQ(Now()->identity, moved);
}

// --- fed by peers ------------------------------------------------------------

TEST_F(MembershipTest, JoinOfAnUnknownClusterChangesNothing) {
  EXPECT_TRUE(
      membership_.MergeJoin("c9", {Record("a", 1)}, At(1)).unknown_cluster);
  EXPECT_TRUE(membership_.MergeLeave("c9", "a", At(1)).unknown_cluster);
  EXPECT_THAT(membership_.List(), IsEmpty());
}

TEST_F(MembershipTest, StrictlyNewerRecordOfAJoinWins) {
  Replace({Record("a", 5), Record("b", 5), Record("c", 5)});
  const auto outcome = membership_.MergeJoin(
      "c1",
      {Record("a", 4, "http://old"), Record("b", 5, "http://same"),
       Record("c", 6, "http://new"), Record("d", 1)},
      At(7));
  EXPECT_FALSE(outcome.unknown_cluster);
  EXPECT_THAT(outcome.contested, IsEmpty());
  EXPECT_EQ(*Find("a"), Record("a", 5));
  EXPECT_EQ(*Find("b"), Record("b", 5));
  EXPECT_EQ(*Find("c"), Record("c", 6, "http://new"));
  EXPECT_NE(Find("d"), nullptr);
}

TEST_F(MembershipTest, NoDateIsTheOldest) {
  Server undated = Record("a", 1, "http://undated");
  undated.update_time = absl::InfinitePast();
  Replace({undated});
  membership_.MergeJoin("c1", {undated}, At(1));
  EXPECT_EQ(*Find("a"), undated);
  membership_.MergeJoin("c1", {Record("a", -1'000'000)}, At(1));
  EXPECT_EQ(*Find("a"), Record("a", -1'000'000));
  membership_.MergeJoin("c1", {undated}, At(1));
  EXPECT_EQ(*Find("a"), Record("a", -1'000'000));
}

TEST_F(MembershipTest, JoinNotNewerThanATombstoneIsIgnored) {
  Replace({Record("a", 5)});
  membership_.MergeLeave("c1", "a", At(10));
  membership_.MergeJoin("c1", {Record("a", 5)}, At(11));
  EXPECT_EQ(Find("a"), nullptr);
  membership_.MergeJoin("c1", {Record("a", 6)}, At(12));
  EXPECT_NE(Find("a"), nullptr);
}

TEST_F(MembershipTest, TombstonesLiveTenMinutes) {
  Replace({Record("a", 5), Record("b", 5)});
  membership_.MergeLeave("c1", "a", At(0));
  membership_.Expire(At(599));
  membership_.MergeJoin("c1", {Record("a", 5)}, At(599));
  EXPECT_EQ(Find("a"), nullptr);
  membership_.Expire(At(600));
  membership_.MergeJoin("c1", {Record("a", 5)}, At(600));
  EXPECT_NE(Find("a"), nullptr);
}

TEST_F(MembershipTest, EvictionAndAbsenceLeaveTombstonesToo) {
  Replace({Record("a", 5), Record("b", 5)});
  membership_.Remove({"c1", "a"}, ChangeType::kEvicted, At(6));
  Replace({});
  membership_.MergeJoin("c1", {Record("a", 5), Record("b", 5)}, At(7));
  EXPECT_THAT(Now()->servers, IsEmpty());
}

TEST_F(MembershipTest, HeldRegistrationIsNeverChangedByAPeer) {
  membership_.SetHeld({"c1", "mine"}, true);
  Replace({Record("mine", 1)});
  const SnapshotPtr before = Now();
  EXPECT_THAT(membership_.MergeLeave("c1", "mine", At(2)).contested,
              ElementsAre("mine"));
  EXPECT_THAT(
      membership_.MergeJoin("c1", {Record("mine", 9, "http://thief")}, At(2))
          .contested,
      ElementsAre("mine"));
  EXPECT_EQ(Now(), before);
}

TEST_F(MembershipTest, PeersListThatLacksOrRepeatsAHeldOneIsFine) {
  membership_.SetHeld({"c1", "mine"}, true);
  Replace({Record("mine", 1)});
  EXPECT_THAT(membership_.MergeJoin("c1", {Record("a", 1)}, At(2)).contested,
              IsEmpty());
  EXPECT_THAT(membership_.MergeJoin("c1", {Record("mine", 9)}, At(2)).contested,
              IsEmpty());
  EXPECT_EQ(*Find("mine"), Record("mine", 1));
}

TEST_F(MembershipTest, JoinsToEmptyClustersCount) {
  Replace({});
  membership_.MergeJoin("c1", {Record("a", 1)}, At(2));
  EXPECT_THAT(Ids(*Now()), ElementsAre("a"));
}

// --- fed by this process -----------------------------------------------------

TEST_F(MembershipTest, RemovingAStrangerIsNothing) {
  membership_.Remove({"c9", "a"}, ChangeType::kEvicted, At(1));
  Replace({Record("a", 1)});
  const SnapshotPtr before = Now();
  membership_.Remove({"c1", "b"}, ChangeType::kEvicted, At(1));
  EXPECT_EQ(Now(), before);
}

TEST_F(MembershipTest, StateOverlaySurvivesUntilAnotherVersion) {
  Replace({Record("a", 1)});
  EXPECT_TRUE(membership_.SetState({"c1", "a"}, {"v1"}, ServerState::kSuspected,
                                   At(2)));
  EXPECT_EQ(Find("a")->state, ServerState::kSuspected);
  const SnapshotPtr before = Now();
  Replace({Record("a", 1)});
  membership_.Apply(kCluster, Joined(Record("a", 1)), At(2));
  EXPECT_EQ(Now(), before);
  Replace({Record("a", 2)});
  EXPECT_EQ(Find("a")->state, ServerState::kActive);
}

TEST_F(MembershipTest, DrainingSetByTheAuthorityWinsOverTheOverlay) {
  Replace({Record("a", 1)});
  membership_.SetState({"c1", "a"}, {"v1"}, ServerState::kSuspected, At(2));
  Server draining = Record("a", 1);
  draining.state = ServerState::kDraining;
  Replace({draining});
  EXPECT_EQ(Find("a")->state, ServerState::kDraining);
}

TEST_F(MembershipTest, StateOfAnotherVersionIsNotSet) {
  Replace({Record("a", 2)});
  const SnapshotPtr before = Now();
  const auto suspected = ServerState::kSuspected;
  EXPECT_FALSE(membership_.SetState({"c1", "a"}, {"v1"}, suspected, At(3)));
  EXPECT_FALSE(membership_.SetState({"c1", "b"}, {"v1"}, suspected, At(3)));
  EXPECT_FALSE(membership_.SetState({"c9", "a"}, {"v2"}, suspected, At(3)));
  EXPECT_TRUE(
      membership_.SetState({"c1", "a"}, {"v2"}, ServerState::kActive, At(3)));
  EXPECT_EQ(Now(), before);
}

TEST_F(MembershipTest, StateSetAfterARequestDoesNotKeepWhoIsGone) {
  Replace({Record("a", 1)});
  const std::int64_t mark = membership_.Mark();
  membership_.SetState({"c1", "a"}, {"v1"}, ServerState::kSuspected, At(2));
  membership_.Replace(kCluster, {}, mark, At(3));
  EXPECT_THAT(Now()->servers, IsEmpty());
}

TEST_F(MembershipTest, ExpireDropsClustersThatHaveBeenEmpty) {
  Replace({Record("a", 1)});
  membership_.Expire(At(100'000));
  EXPECT_EQ(membership_.List().size(), 1);
  membership_.Remove({"c1", "a"}, ChangeType::kLeft, At(200'000));
  membership_.Expire(At(200'599));
  EXPECT_EQ(membership_.List().size(), 1);
  membership_.Expire(At(200'600));
  EXPECT_THAT(membership_.List(), IsEmpty());
  EXPECT_TRUE(HasReason(membership_.Snapshot("mTest", "").status(),
                        Reason::kClusterNotFound));
}

TEST_F(MembershipTest, ExpireDropsNoMoreThanItMay) {
  Replace({Record("a", 1), Record("b", 1)});
  membership_.Remove({"c1", "a"}, ChangeType::kLeft, At(1));
  membership_.Remove({"c1", "b"}, ChangeType::kLeft, At(2));
  membership_.Replace({"c2", "mOther", ""}, {}, membership_.Mark(), At(3));
  EXPECT_TRUE(membership_.Expire(At(1'000), 1));
  EXPECT_EQ(membership_.List().size(), 1);
  EXPECT_FALSE(membership_.Expire(At(1'000), 1));
  EXPECT_THAT(membership_.List(), IsEmpty());
}

TEST_F(MembershipTest, OneServerIsFoundWithoutTheOthers) {
  Replace({Record("a", 1)});
  EXPECT_EQ(*membership_.Find({"c1", "a"}), Record("a", 1));
  EXPECT_EQ(membership_.Find({"c1", "b"}), nullptr);
  EXPECT_EQ(membership_.Find({"c2", "a"}), nullptr);
}

TEST_F(MembershipTest, TellsWhoSharesAnAddressWithANewerRecord) {
  Replace({Record("a", 1, "http://x"), Record("b", 2, "http://x/"),
           Record("c", 1)});
  const auto older = membership_.OlderAtSameAddress("c1");
  ASSERT_EQ(older.size(), 1u);
  EXPECT_EQ(older[0]->server_id, "a");
  membership_.Remove({"c1", "b"}, ChangeType::kLeft, At(3));
  EXPECT_THAT(membership_.OlderAtSameAddress("c1"), IsEmpty());
  EXPECT_THAT(membership_.OlderAtSameAddress("c2"), IsEmpty());
}

TEST_F(MembershipTest, ExpireKeepsClustersThatAreHeldOrWatched) {
  Replace({});
  membership_.SetHeld({"c1", "mine"}, true);
  membership_.Expire(At(1'000));
  EXPECT_EQ(membership_.List().size(), 1);
  membership_.SetHeld({"c1", "mine"}, false);
  {
    auto watch = membership_.OpenWatch("mTest", "", "", [] {});
    membership_.Expire(At(1'000));
    EXPECT_EQ(membership_.List().size(), 1);
  }
  membership_.Expire(At(1'000));
  EXPECT_THAT(membership_.List(), IsEmpty());
}

TEST_F(MembershipTest, RevisionNeverGoesBack) {
  Replace({Record("a", 1)});
  Replace({});
  const std::int64_t revision = Now()->revision;
  membership_.Expire(At(1'000));
  ASSERT_THAT(membership_.List(), IsEmpty());
  Replace({Record("a", 1)});
  EXPECT_GT(Now()->revision, revision);
}

}  // namespace
}  // namespace coord
