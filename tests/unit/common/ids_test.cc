#include "common/ids.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

namespace coord {
namespace {

using ::testing::MatchesRegex;

TEST(ServerTypeTest, FollowsItsRule) {
  EXPECT_TRUE(IsValidServerType("m"));
  EXPECT_TRUE(IsValidServerType("mTest-2_x"));
  EXPECT_TRUE(IsValidServerType(std::string(64, 'a')));
  EXPECT_FALSE(IsValidServerType(std::string(65, 'a')));
  for (const char* bad :
       {"", "1a", "-a", "_a", "a.b", "a b", "a/b", "a\n", "é", "a~"}) {
    EXPECT_FALSE(IsValidServerType(bad)) << bad;
  }
  EXPECT_FALSE(IsValidServerType(std::string_view("a\0", 2)));
}

TEST(ServerIdTest, FollowsItsRule) {
  EXPECT_TRUE(IsValidServerId("1"));
  EXPECT_TRUE(IsValidServerId("...."));
  EXPECT_TRUE(IsValidServerId("a.b_c~d-E9"));
  EXPECT_TRUE(IsValidServerId("-"));
  EXPECT_TRUE(IsValidServerId(std::string(128, 'a')));
  EXPECT_FALSE(IsValidServerId(std::string(129, 'a')));
  for (const char* bad :
       {"", ".", "..", "a/b", "a@b", "a b", "a%20", "a\n", "é"}) {
    EXPECT_FALSE(IsValidServerId(bad)) << bad;
  }
  EXPECT_FALSE(IsValidServerId(std::string_view("a\0", 2)));
}

TEST(RandomUuidTest, IsVersion4AndOftenNew) {
  std::mt19937_64 random(1);
  std::set<std::string> seen;
  for (int i = 0; i < 1'000; ++i) {
    const std::string uuid = RandomUuid(random);
    EXPECT_THAT(uuid, MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-"
                                   "[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
    EXPECT_TRUE(IsValidServerId(uuid));
    EXPECT_TRUE(seen.insert(uuid).second);
  }
}

TEST(RandomUuidTest, IsTheSameForTheSameRandomness) {
  std::mt19937_64 one(7);
  std::mt19937_64 other(7);
  EXPECT_EQ(RandomUuid(one), RandomUuid(other));
}

TEST(SecretIdTest, Is128BitsInHexadecimal) {
  std::set<std::string> seen;
  for (int i = 0; i < 1'000; ++i) {
    const std::string id = SecretId();
    EXPECT_THAT(id, MatchesRegex("[0-9a-f]{32}"));
    EXPECT_TRUE(seen.insert(id).second);
  }
}

}  // namespace
}  // namespace coord
