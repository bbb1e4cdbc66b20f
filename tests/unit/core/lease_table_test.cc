#include "server/core/lease_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/unit/core/records.h"

namespace coord {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(LeaseTableTest, ExpiresAtItsExpiryAndNotBefore) {
  LeaseTable<std::string> leases;
  leases.Grant("a", At(10));
  EXPECT_EQ(leases.NextCheck(), At(10));
  EXPECT_THAT(leases.TakeExpired(At(9)), IsEmpty());
  EXPECT_EQ(leases.ExpiryOf("a"), At(10));
  EXPECT_THAT(leases.TakeExpired(At(10)), ElementsAre("a"));
  EXPECT_EQ(leases.ExpiryOf("a"), std::nullopt);
  EXPECT_THAT(leases.TakeExpired(At(100)), IsEmpty());
  EXPECT_EQ(leases.NextCheck(), absl::InfiniteFuture());
}

TEST(LeaseTableTest, EarliestComesFirst) {
  LeaseTable<std::string> leases;
  leases.Grant("c", At(3));
  leases.Grant("a", At(1));
  leases.Grant("b", At(2));
  EXPECT_THAT(leases.TakeExpired(At(2)), ElementsAre("a", "b"));
  EXPECT_EQ(leases.size(), 1);
}

TEST(LeaseTableTest, RenewalMovesTheExpiryEitherWay) {
  LeaseTable<std::string> leases;
  leases.Grant("a", At(10));
  leases.Grant("a", At(20));
  EXPECT_THAT(leases.TakeExpired(At(10)), IsEmpty());
  EXPECT_EQ(leases.NextCheck(), At(20));
  leases.Grant("a", At(15));
  EXPECT_EQ(leases.NextCheck(), At(15));
  EXPECT_THAT(leases.TakeExpired(At(15)), ElementsAre("a"));
  EXPECT_THAT(leases.TakeExpired(At(20)), IsEmpty());
}

TEST(LeaseTableTest, ShorterThenLongerAgainDoesNotExpireEarly) {
  LeaseTable<std::string> leases;
  leases.Grant("a", At(20));
  leases.Grant("a", At(10));
  leases.Grant("a", At(30));
  EXPECT_THAT(leases.TakeExpired(At(20)), IsEmpty());
  EXPECT_THAT(leases.TakeExpired(At(29)), IsEmpty());
  EXPECT_THAT(leases.TakeExpired(At(30)), ElementsAre("a"));
}

TEST(LeaseTableTest, ReleasedLeaseDoesNotExpire) {
  LeaseTable<std::string> leases;
  leases.Grant("a", At(10));
  EXPECT_TRUE(leases.Release("a"));
  EXPECT_FALSE(leases.Release("a"));
  EXPECT_THAT(leases.TakeExpired(At(10)), IsEmpty());
  leases.Grant("a", At(5));
  EXPECT_THAT(leases.TakeExpired(At(20)), ElementsAre("a"));
}

TEST(LeaseTableTest, GrantInThePastExpiresAtOnce) {
  LeaseTable<std::string> leases;
  leases.Grant("a", absl::InfinitePast());
  EXPECT_THAT(leases.TakeExpired(At(0)), ElementsAre("a"));
}

TEST(LeaseTableTest, InfiniteLeaseNeverExpires) {
  LeaseTable<std::string> leases;
  leases.Grant("a", absl::InfiniteFuture());
  EXPECT_THAT(leases.TakeExpired(At(1'000'000)), IsEmpty());
  EXPECT_EQ(leases.ExpiryOf("a"), absl::InfiniteFuture());
  leases.Grant("a", At(1));
  EXPECT_THAT(leases.TakeExpired(At(1)), ElementsAre("a"));
}

TEST(LeaseTableTest, LooksAtNoMoreThanItMay) {
  LeaseTable<std::string> leases;
  for (const char* key : {"a", "b", "c", "d"}) leases.Grant(key, At(1));
  leases.Grant("b", At(5));
  EXPECT_THAT(leases.TakeExpired(At(2), 2), ElementsAre("a"));
  EXPECT_EQ(leases.NextCheck(), At(1));
  EXPECT_THAT(leases.TakeExpired(At(2), 2), ElementsAre("c", "d"));
  EXPECT_EQ(leases.NextCheck(), At(5));
}

class LeaseTablePropertyTest : public ::testing::TestWithParam<int> {};

TEST_P(LeaseTablePropertyTest, BehavesAsAMapThatIsSearchedEachTime) {
  SCOPED_TRACE(absl::StrCat("seed ", GetParam()));
  std::mt19937 random(static_cast<unsigned>(GetParam()));
  const auto draw = [&](int below) {
    return std::uniform_int_distribution<int>(0, below - 1)(random);
  };
  LeaseTable<int> leases;
  std::map<int, absl::Time> model;
  int now = 0;
  for (int step = 0; step < 20'000; ++step) {
    const int key = draw(200);
    switch (draw(4)) {
      case 0:
      case 1: {
        const absl::Time expiry = At(now + draw(100) - 5);
        leases.Grant(key, expiry);
        model[key] = expiry;
        break;
      }
      case 2:
        ASSERT_EQ(leases.Release(key), model.erase(key) > 0);
        break;
      case 3: {
        now += draw(4);
        absl::Time earlier = absl::InfinitePast();
        for (const int expired : leases.TakeExpired(At(now))) {
          ASSERT_TRUE(model.contains(expired)) << "step " << step;
          ASSERT_LE(earlier, model[expired]) << "step " << step;
          earlier = model[expired];
          ASSERT_LE(earlier, At(now)) << "step " << step;
          model.erase(expired);
        }
        break;
      }
    }
    ASSERT_EQ(leases.size(), model.size());
    for (const auto& [held, expiry] : model) {
      ASSERT_GE(expiry, leases.NextCheck()) << "step " << step;
    }
  }
  for (const auto& [key, expiry] : model) {
    ASSERT_EQ(leases.ExpiryOf(key), expiry);
  }
  EXPECT_EQ(leases.TakeExpired(absl::InfiniteFuture()).size(), model.size());
}

INSTANTIATE_TEST_SUITE_P(Seeds, LeaseTablePropertyTest, ::testing::Range(1, 9));

}  // namespace
}  // namespace coord
