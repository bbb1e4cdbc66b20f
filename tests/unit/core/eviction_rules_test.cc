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

}  // namespace
}  // namespace coord
