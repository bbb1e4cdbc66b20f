#include "server/core/eviction_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/core/records.h"

namespace coord {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(EvictionHistoryTest, SameIdAndAddressIsEvictedOnceInTenMinutes) {
  EvictionHistory history;
  const Server server = Record("a", 1, "http://10.0.0.1/base");
  EXPECT_TRUE(history.MayEvict(server, At(0)));
  history.Evicted(server, At(0));
  EXPECT_FALSE(history.MayEvict(server, At(0)));
  EXPECT_FALSE(history.MayEvict(server, At(599)));
  EXPECT_TRUE(history.MayEvict(server, At(600)));
  history.Evicted(server, At(600));
  EXPECT_FALSE(history.MayEvict(server, At(1'199)));
}

TEST(EvictionHistoryTest, AnotherIdOrAddressIsAnotherMatter) {
  EvictionHistory history;
  history.Evicted(Record("a", 1, "http://10.0.0.1/base"), At(0));
  EXPECT_TRUE(history.MayEvict(Record("b", 1, "http://10.0.0.1/base"), At(1)));
  EXPECT_TRUE(history.MayEvict(Record("a", 1, "http://10.0.0.2/base"), At(1)));
}

TEST(EvictionHistoryTest, AddressIsTheSameHoweverItIsWritten) {
  EvictionHistory history;
  history.Evicted(Record("a", 1, "http://Host:80/base/"), At(0));
  EXPECT_FALSE(history.MayEvict(Record("a", 1, "http://host/base"), At(1)));
}

TEST(EvictionHistoryTest, ExpireForgetsOnlyWhatNoLongerMatters) {
  EvictionHistory history(absl::Seconds(10));
  history.Evicted(Record("a", 1), At(0));
  history.Evicted(Record("b", 1), At(5));
  history.Expire(At(10));
  EXPECT_TRUE(history.MayEvict(Record("a", 1), At(10)));
  EXPECT_FALSE(history.MayEvict(Record("b", 1), At(10)));
}

TEST(EvictionHistoryTest, OfTooManyTheOldestAreForgotten) {
  EvictionHistory history(absl::Minutes(10), 2);
  history.Evicted(Record("a", 1), At(0));
  history.Evicted(Record("b", 1), At(1));
  history.Evicted(Record("c", 1), At(2));
  EXPECT_TRUE(history.MayEvict(Record("a", 1), At(3)));
  EXPECT_FALSE(history.MayEvict(Record("b", 1), At(3)));
  EXPECT_FALSE(history.MayEvict(Record("c", 1), At(3)));
}

TEST(EvictionHistoryTest, TheLatestEvictionOfAServerCounts) {
  EvictionHistory history(absl::Seconds(10));
  history.Evicted(Record("a", 1), At(0));
  history.Evicted(Record("a", 1), At(5));
  history.Expire(At(10));
  EXPECT_FALSE(history.MayEvict(Record("a", 1), At(10)));
}

std::vector<std::string> Older(std::vector<Server> servers) {
  ClusterSnapshot snapshot;
  for (Server& server : servers) {
    snapshot.servers.push_back(std::make_shared<const Server>(server));
  }
  ClusterSnapshot older;
  older.servers = OlderAtSameAddress(snapshot);
  return Ids(older);
}

TEST(OlderAtSameAddressTest, NewestAtAnAddressStays) {
  EXPECT_THAT(Older({Record("a", 1, "http://x:1"), Record("b", 3, "http://x:1"),
                     Record("c", 2, "http://x:1/"), Record("d", 1)}),
              ElementsAre("a", "c"));
}

TEST(OlderAtSameAddressTest, OneAddressEachIsFine) {
  EXPECT_THAT(Older({}), IsEmpty());
  EXPECT_THAT(Older({Record("a", 1), Record("b", 2)}), IsEmpty());
  EXPECT_THAT(
      Older({Record("a", 1, "http://x/one"), Record("b", 2, "http://x/two")}),
      IsEmpty());
}

TEST(OlderAtSameAddressTest, SameDateIsNoEvidence) {
  EXPECT_THAT(Older({Record("a", 1, "http://x"), Record("b", 1, "http://x")}),
              IsEmpty());
}

TEST(OlderAtSameAddressTest, NoDateIsTheOldest) {
  Server undated = Record("a", 1, "http://x");
  undated.update_time = absl::InfinitePast();
  EXPECT_THAT(Older({undated, Record("b", -1'000, "http://x")}),
              ElementsAre("a"));
}

}  // namespace
}  // namespace coord
