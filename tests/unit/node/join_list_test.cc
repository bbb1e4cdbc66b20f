#include "server/node/join_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/registry/it_resource.h"

namespace coord {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

// Servers s0, s1, …, each a second newer than the one before.
ClusterSnapshot ClusterOf(int count) {
  ClusterSnapshot cluster;
  cluster.identity = {"c1", "mTest", "https://public.test"};
  for (int i = 0; i < count; ++i) {
    auto server = std::make_shared<Server>();
    server->server_id = absl::StrCat("s", i);
    server->cluster_base_url = "http://10.0.0.1:8080/service";
    server->update_time = absl::FromUnixSeconds(1'700'000'000 + i);
    cluster.servers.Put(std::move(server));
  }
  return cluster;
}

std::vector<std::string> IdsIn(const JoinList& list) {
  const absl::StatusOr<ItResource> told = ParseItResource(list.json());
  EXPECT_TRUE(told.ok()) << told.status();
  std::vector<std::string> ids;
  if (!told.ok()) return ids;
  EXPECT_EQ(told->identity.id, "c1");
  EXPECT_EQ(told->identity.public_base_url, "https://public.test");
  for (const Server& server : told->servers) ids.push_back(server.server_id);
  return ids;
}

TEST(JoinListTest, AListThatFitsIsWhole) {
  const ClusterSnapshot cluster = ClusterOf(300);
  const JoinList list(cluster, "s7");
  EXPECT_EQ(list.json(), ItResourceJson(cluster));
  EXPECT_TRUE(list.TellsOf("s0"));
  EXPECT_TRUE(list.TellsOf("s299"));
}

TEST(JoinListTest, OfALongListItTellsWhoJoinedAndTheNewest) {
  const JoinList list(ClusterOf(1000), "s7", 1000);
  EXPECT_THAT(IdsIn(list), ElementsAre("s7", "s999", "s998", "s997", "s996"));
  EXPECT_TRUE(list.TellsOf("s7"));
  EXPECT_TRUE(list.TellsOf("s996"));
  EXPECT_FALSE(list.TellsOf("s8"));
}

TEST(JoinListTest, WhatJoinedIsToldWhateverItsSize) {
  ClusterSnapshot cluster = ClusterOf(2);
  auto large = std::make_shared<Server>(*cluster.servers.Find("s0"));
  large->location_json = absl::StrCat("\"", std::string(2000, 'x'), "\"");
  cluster.servers.Put(large);
  EXPECT_THAT(IdsIn(JoinList(cluster, "s0", 1000)), ElementsAre("s0"));
}

TEST(JoinListTest, AParserOfNodeTakesTheListOfAVeryLargeCluster) {
  const JoinList list(ClusterOf(100'000), "s7");
  EXPECT_LT(list.json().size(), 100u << 10);
  EXPECT_THAT(IdsIn(list), SizeIs(testing::Gt(300)));
}

}  // namespace
}  // namespace coord
