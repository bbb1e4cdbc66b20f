#include "server/core/address_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/unit/core/records.h"

namespace coord {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> OlderIn(const AddressIndex& index) {
  std::vector<std::string> ids;
  for (const ServerPtr& server : index.Older()) {
    ids.push_back(server->server_id);
  }
  return ids;
}

std::vector<std::string> Older(const std::vector<Server>& servers) {
  AddressIndex index;
  for (const Server& server : servers) {
    index.Add(std::make_shared<const Server>(server));
  }
  return OlderIn(index);
}

TEST(AddressIndexTest, NewestAtAnAddressStays) {
  EXPECT_THAT(Older({Record("a", 1, "http://x:1"), Record("b", 3, "http://x:1"),
                     Record("c", 2, "http://x:1/"), Record("d", 1)}),
              ElementsAre("a", "c"));
}

TEST(AddressIndexTest, OneAddressEachIsFine) {
  EXPECT_THAT(Older({}), IsEmpty());
  EXPECT_THAT(Older({Record("a", 1), Record("b", 2)}), IsEmpty());
  EXPECT_THAT(
      Older({Record("a", 1, "http://x/one"), Record("b", 2, "http://x/two")}),
      IsEmpty());
}

TEST(AddressIndexTest, SameDateIsNoEvidence) {
  EXPECT_THAT(Older({Record("a", 1, "http://x"), Record("b", 1, "http://x")}),
              IsEmpty());
}

TEST(AddressIndexTest, NoDateIsTheOldest) {
  Server undated = Record("a", 1, "http://x");
  undated.update_time = absl::InfinitePast();
  EXPECT_THAT(Older({undated, Record("b", -1'000, "http://x")}),
              ElementsAre("a"));
}

TEST(AddressIndexTest, WhoLeftCountsNoMore) {
  AddressIndex index;
  const auto a = std::make_shared<const Server>(Record("a", 1, "http://x"));
  const auto b = std::make_shared<const Server>(Record("b", 2, "http://x"));
  const auto c = std::make_shared<const Server>(Record("c", 3, "http://x/"));
  for (const ServerPtr& server : {a, b, c}) index.Add(server);
  index.Remove(c);
  EXPECT_THAT(OlderIn(index), ElementsAre("a"));
  index.Remove(b);
  EXPECT_THAT(OlderIn(index), IsEmpty());
  index.Add(b);
  EXPECT_THAT(OlderIn(index), ElementsAre("a"));
}

TEST(AddressIndexTest, ANewerRecordTakesThePlaceOfAnOlder) {
  AddressIndex index;
  const auto a = std::make_shared<const Server>(Record("a", 1, "http://x"));
  const auto b = std::make_shared<const Server>(Record("b", 2, "http://x"));
  const auto newer = std::make_shared<const Server>(Record("a", 3, "http://x"));
  const auto moved = std::make_shared<const Server>(Record("a", 4, "http://y"));
  index.Add(a);
  index.Add(b);
  index.Replace(a, newer);
  EXPECT_THAT(OlderIn(index), ElementsAre("b"));
  index.Replace(newer, moved);
  EXPECT_THAT(OlderIn(index), IsEmpty());
  index.Remove(moved);
  index.Remove(b);
  EXPECT_THAT(OlderIn(index), IsEmpty());
}

}  // namespace
}  // namespace coord
