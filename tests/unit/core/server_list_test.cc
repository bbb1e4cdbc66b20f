#include "server/core/server_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/core/records.h"

namespace coord {
namespace {

using ::testing::IsEmpty;

using Model = std::map<std::string, ServerPtr>;

ServerPtr Made(const std::string& id, int date) {
  return std::make_shared<const Server>(Record(id, date));
}

void ExpectSame(const ServerList& list, const Model& model) {
  ASSERT_EQ(list.size(), model.size());
  ASSERT_EQ(list.empty(), model.empty());
  auto it = list.begin();
  for (const auto& [id, server] : model) {
    ASSERT_EQ(*it, server) << id;
    ++it;
  }
  ASSERT_EQ(it, list.end());
}

TEST(ServerListTest, AnEmptyListHasNobody) {
  const ServerList list;
  EXPECT_THAT(list, IsEmpty());
  EXPECT_EQ(list.Find("a"), nullptr);
  EXPECT_EQ(list.After("a"), list.end());
}

TEST(ServerListTest, GoesOnBehindAServerThatIsGone) {
  ServerList list;
  for (const char* id : {"a", "b", "d"}) list.Put(Made(id, 1));
  EXPECT_EQ((*list.After(""))->server_id, "a");
  EXPECT_EQ((*list.After("b"))->server_id, "d");
  EXPECT_EQ((*list.After("c"))->server_id, "d");
  EXPECT_EQ(list.After("d"), list.end());
  EXPECT_EQ(list.After("e"), list.end());
}

class ServerListPropertyTest : public ::testing::TestWithParam<int> {};

TEST_P(ServerListPropertyTest, BehavesAsAMapAndItsCopiesNeverChange) {
  SCOPED_TRACE(absl::StrCat("seed ", GetParam()));
  std::mt19937 random(static_cast<unsigned>(GetParam()));
  const auto draw = [&](int below) {
    return std::uniform_int_distribution<int>(0, below - 1)(random);
  };
  ServerList list;
  Model model;
  std::vector<std::pair<ServerList, Model>> copies;
  for (int step = 0; step < 5'000; ++step) {
    // Grows to several chunks, then shrinks.
    const bool grows = draw(10) < (step < 3'000 ? 8 : 2);
    const std::string id = absl::StrCat(draw(1'500));
    if (grows) {
      const ServerPtr server = Made(id, step);
      list.Put(server);
      model[id] = server;
    } else {
      list.Erase(id);
      model.erase(id);
    }
    ASSERT_EQ(list.Find(id), grows ? model[id] : nullptr);
    const std::string other = absl::StrCat(draw(1'500));
    const auto after = list.After(other);
    const auto expected = model.upper_bound(other);
    ASSERT_EQ(after == list.end(), expected == model.end());
    if (expected != model.end()) {
      ASSERT_EQ(*after, expected->second);
    }
    if (step % 250 == 0) copies.emplace_back(list, model);
  }
  ExpectSame(list, model);
  for (const auto& [copy, then] : copies) ExpectSame(copy, then);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ServerListPropertyTest, ::testing::Range(1, 5));

}  // namespace
}  // namespace coord
