#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/text_view.h"
#include "server/core/membership.h"
#include "tests/unit/core/records.h"

namespace coord {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LookUpTest : public ::testing::Test {
 protected:
  void Add(const std::string& id, const std::string& type, int servers) {
    std::vector<Server> list;
    list.reserve(servers);
    for (int i = 0; i < servers; ++i) {
      list.push_back(Record(absl::StrCat(id, "-", i), 1));
    }
    membership_.Replace({id, type, ""}, list, membership_.Mark(), At(0));
  }
  absl::Status Error(std::string_view type, std::string_view id) {
    return membership_.Snapshot(type, id).status();
  }
  std::string IdOf(std::string_view type, std::string_view id) {
    return (*membership_.Snapshot(type, id))->identity.id;
  }

  Membership membership_{{}, "life-1"};
};

TEST_F(LookUpTest, UnknownClusterIsNotFound) {
  Add("c1", "mTest", 1);
  EXPECT_TRUE(HasReason(Error("other", ""), Reason::kClusterNotFound));
  EXPECT_THAT(StdView(Error("other", "").message()),
              HasSubstr("find cluster of type other"));
  EXPECT_TRUE(HasReason(Error("", "c9"), Reason::kClusterNotFound));
  EXPECT_THAT(StdView(Error("", "c9").message()), HasSubstr("cluster c9"));
  EXPECT_TRUE(HasReason(Error("", ""), Reason::kClusterNotFound));
}

TEST_F(LookUpTest, TypeMustAgreeWithTheId) {
  Add("c1", "mTest", 1);
  EXPECT_EQ(IdOf("mTest", "c1"), "c1");
  EXPECT_EQ(IdOf("", "c1"), "c1");
  EXPECT_TRUE(HasReason(Error("mTes", "c1"), Reason::kClusterNotFound));
}

TEST_F(LookUpTest, ClusterWithServersIsPreferred) {
  Add("c1", "mTest", 0);
  EXPECT_EQ(IdOf("mTest", ""), "c1");
  Add("c2", "mTest", 1);
  EXPECT_EQ(IdOf("mTest", ""), "c2");
  Add("c3", "mTest2", 1);
  EXPECT_EQ(IdOf("mTest", ""), "c2");
}

TEST_F(LookUpTest, SeveralClustersOfATypeAreAmbiguous) {
  Add("c1", "mTest", 1);
  Add("c2", "mTest", 2);
  EXPECT_TRUE(HasReason(Error("mTest", ""), Reason::kClusterAmbiguous));
  EXPECT_THAT(StdView(Error("mTest", "").message()), HasSubstr("c1, c2"));
  EXPECT_EQ(IdOf("mTest", "c2"), "c2");
}

TEST_F(LookUpTest, ManyAmbiguousClustersMakeNoLongMessage) {
  for (int i = 10; i < 40; ++i) Add(absl::StrCat("c", i), "mTest", 1);
  const absl::Status status = Error("mTest", "");
  EXPECT_THAT(StdView(status.message()), HasSubstr("there are 30"));
  EXPECT_THAT(StdView(status.message()), HasSubstr("c18, ..."));
}

TEST_F(LookUpTest, ListIsByTypeAndId) {
  Add("c3", "b", 0);
  Add("c2", "b", 1);
  Add("c9", "a", 1);
  std::vector<std::string> ids;
  for (const auto& snapshot : membership_.List()) {
    ids.push_back(snapshot->identity.id);
  }
  EXPECT_THAT(ids, ElementsAre("c9", "c2", "c3"));
}

TEST_F(LookUpTest, AListIsReadByRange) {
  Add("c3", "b", 0);
  Add("c2", "b", 1);
  Add("c9", "a", 1);
  const auto first = membership_.List("", "", 2);
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[1]->identity.id, "c2");
  const auto rest = membership_.List("b", "c2", 2);
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ(rest[0]->identity.id, "c3");
  EXPECT_THAT(membership_.List("b", "c3", 2), IsEmpty());
}

}  // namespace
}  // namespace coord
