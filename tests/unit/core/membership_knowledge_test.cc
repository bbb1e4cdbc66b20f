// How old a membership is, and what servers answered at the node API.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/core/membership.h"
#include "tests/unit/core/records.h"

namespace coord {
namespace {

using ::testing::IsEmpty;

Server Unknown(const std::string& id, int date,
               const std::string& address = "") {
  Server server = Record(id, date, address);
  server.node_api = NodeApi::kUnknown;
  return server;
}

// Fed by an authority that sends lists.
class ListedMembershipTest : public ::testing::Test {
 protected:
  SnapshotPtr Now() { return *membership_.Snapshot("", "c1"); }
  absl::Duration AgeAt(int seconds) {
    return AgeOf(Now()->known_at, At(seconds));
  }
  NodeApi NodeApiOf(const std::string& id) { return Now()->Find(id)->node_api; }
  void Replace(std::vector<Server> servers) {
    membership_.Replace(kCluster, std::move(servers), membership_.Mark(),
                        At(0));
  }
  void Answered(const std::string& id, NodeApi node_api) {
    membership_.SetNodeApi("mTest", id, Record(id, 0).cluster_base_url,
                           node_api, At(9));
  }

  Membership membership_{{.pushed = false}, "life-1"};
};

TEST(PushedMembershipTest, WhatIsPushedIsNeverOld) {
  Membership membership({}, "life-1");
  membership.Apply(kCluster, Joined(Record("a", 1)), At(1));
  const SnapshotPtr snapshot = *membership.Snapshot("", "c1");
  EXPECT_EQ(AgeOf(snapshot->known_at, At(1'000'000)), absl::ZeroDuration());
  EXPECT_EQ(membership.Summary("", "c1")->known_at, snapshot->known_at);
}

TEST_F(ListedMembershipTest, AListIsAsOldAsTheQuestion) {
  Replace({Record("a", 1)});
  EXPECT_EQ(AgeAt(5), absl::InfiniteDuration());
  membership_.Listed("c1", At(3));
  EXPECT_EQ(AgeAt(5), absl::Seconds(2));
  EXPECT_EQ(membership_.Summary("", "c1")->known_at, At(3));
  // Another loop's clock may be a moment behind.
  EXPECT_EQ(AgeAt(2), absl::ZeroDuration());
}

TEST_F(ListedMembershipTest, AnAnswerThatComesLateMakesNothingOlder) {
  Replace({Record("a", 1)});
  membership_.Listed("c1", At(3));
  membership_.Listed("c1", At(2));
  EXPECT_EQ(AgeAt(5), absl::Seconds(2));
}

TEST_F(ListedMembershipTest, WhatPeersSayMakesNothingYounger) {
  Replace({Record("a", 1)});
  membership_.Listed("c1", At(3));
  membership_.MergeJoin("c1", {Record("b", 2)}, At(8));
  membership_.MergeLeave("c1", "a", At(8));
  EXPECT_EQ(AgeAt(10), absl::Seconds(7));
}

TEST_F(ListedMembershipTest, AListThatChangesNothingIsNoChange) {
  Replace({Record("a", 1)});
  membership_.Listed("c1", At(3));
  const std::int64_t before = Now()->revision;
  membership_.Listed("c1", At(4));
  EXPECT_EQ(Now()->revision, before);
  membership_.Listed("c9", At(4));  // unknown: nothing
}

TEST_F(ListedMembershipTest, WhatNobodyTellsOfAnyMoreIsNotKnown) {
  Replace({Record("a", 1)});
  membership_.Listed("c1", At(3));
  membership_.Abandon("c1", At(4));
  EXPECT_THAT(Now()->servers, IsEmpty());
  EXPECT_EQ(AgeAt(5), absl::InfiniteDuration());
  membership_.Abandon("c9", At(4));  // unknown: nothing
}

TEST_F(ListedMembershipTest, WhoAnsweredAtTheNodeApiServesIt) {
  Replace({Unknown("a", 1), Unknown("b", 1)});
  EXPECT_EQ(NodeApiOf("a"), NodeApi::kUnknown);
  EXPECT_EQ(membership_.Summary("", "c1")->node_api_servers, 2u);
  const std::int64_t before = Now()->revision;
  Answered("a", NodeApi::kYes);
  Answered("b", NodeApi::kNo);
  EXPECT_EQ(NodeApiOf("a"), NodeApi::kYes);
  EXPECT_EQ(NodeApiOf("b"), NodeApi::kNo);
  EXPECT_EQ(membership_.Summary("", "c1")->node_api_servers, 1u);
  EXPECT_EQ(Now()->revision, before + 2);  // watchers hear of it
}

TEST_F(ListedMembershipTest, WhatWasSaidBeforeStands) {
  Replace({Record("a", 1), Unknown("b", 1)});
  Answered("a", NodeApi::kNo);
  EXPECT_EQ(NodeApiOf("a"), NodeApi::kYes);
  Answered("b", NodeApi::kUnknown);
  Answered("stranger", NodeApi::kYes);
  membership_.SetNodeApi("mTest", "b", "http://elsewhere", NodeApi::kYes,
                         At(9));
  membership_.SetNodeApi("mOther", "b", Record("b", 0).cluster_base_url,
                         NodeApi::kYes, At(9));
  EXPECT_EQ(NodeApiOf("b"), NodeApi::kUnknown);
}

TEST_F(ListedMembershipTest, ThatAServerServesItHoldsAsLongAsItsAddress) {
  Replace({Unknown("a", 1)});
  Answered("a", NodeApi::kYes);
  Replace({Unknown("a", 2)});
  EXPECT_EQ(NodeApiOf("a"), NodeApi::kYes);
  EXPECT_EQ(Now()->Find("a")->version.text, "v2");
  Replace({Unknown("a", 3, "http://elsewhere")});
  EXPECT_EQ(NodeApiOf("a"), NodeApi::kUnknown);
}

TEST_F(ListedMembershipTest, OneThatComesBackToItsAddressServesItStill) {
  Replace({Unknown("a", 1)});
  Answered("a", NodeApi::kYes);
  membership_.Remove({"c1", "a"}, ChangeType::kEvicted, At(2));
  EXPECT_EQ(Now()->Find("a"), nullptr);
  Replace({Unknown("a", 3)});
  EXPECT_EQ(NodeApiOf("a"), NodeApi::kYes);
  membership_.Remove({"c1", "a"}, ChangeType::kEvicted, At(4));
  Replace({Unknown("a", 5, "http://elsewhere")});
  EXPECT_EQ(NodeApiOf("a"), NodeApi::kUnknown);
}

// It may not have been up yet.
TEST_F(ListedMembershipTest, ThatItDoesNotHoldsAsLongAsItsRecord) {
  Replace({Unknown("a", 1)});
  Answered("a", NodeApi::kNo);
  const std::int64_t before = Now()->revision;
  Replace({Unknown("a", 1)});
  EXPECT_EQ(NodeApiOf("a"), NodeApi::kNo);
  EXPECT_EQ(Now()->revision, before);
  Replace({Unknown("a", 2)});
  EXPECT_EQ(NodeApiOf("a"), NodeApi::kUnknown);
}

TEST_F(ListedMembershipTest, WhoRegistersItKnowsBetter) {
  Replace({Unknown("a", 1)});
  Answered("a", NodeApi::kNo);
  Replace({Record("a", 1)});
  EXPECT_EQ(NodeApiOf("a"), NodeApi::kYes);
}

}  // namespace
}  // namespace coord
