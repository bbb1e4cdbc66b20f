// Three nodes through the life of a cluster: all there, one killed, back again.
#include <string>
#include <vector>

#include "common/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/cluster_fixture.h"
#include "tests/support/watcher.h"

namespace coord {
namespace {

using testing::ElementsAre;

std::vector<std::string> Ids(const auto& outcomes) {
  std::vector<std::string> ids;
  for (const auto& outcome : outcomes) ids.push_back(outcome.server_id());
  return ids;
}

class ThreeNodesTest : public ClusterTest {
 protected:
  ThreeNodesTest() {
    for (const char* id : {"node-1", "node-2", "node-3"}) AddNode(id);
  }
};

TEST_F(ThreeNodesTest, AllAnswer) {
  const auto response = FanOut(GetCall("/info"));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->verdict(), pb::VERDICT_COMPLETE);
  EXPECT_THAT(Ids(response->results()),
              ElementsAre("node-1", "node-2", "node-3"));
  EXPECT_EQ(response->data_json(),
            R"([{"id":"node-1"},{"id":"node-2"},{"id":"node-3"}])");
}

TEST_F(ThreeNodesTest, TheOriginIsLeftOut) {
  pb::FanOutRequest request = GetCall("/info");
  request.set_origin_server_id("node-2");
  const auto response = FanOut(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->expected_count(), 2);
  EXPECT_THAT(Ids(response->results()), ElementsAre("node-1", "node-3"));
}

TEST_F(ThreeNodesTest, TheyHearOfEachOther) {
  nodes_[0]->WaitForJoins(2);
  nodes_[1]->WaitForJoins(1);
  EXPECT_EQ(nodes_[2]->joins(), 0);
}

TEST_F(ThreeNodesTest, ADrainingOneIsSkipped) {
  pb::DrainServerRequest drain;
  drain.set_type("mTest");
  drain.set_server_id("node-2");
  pb::DrainServerResponse drained;
  ASSERT_TRUE(
      Do(&pb::RegistryService::Stub::DrainServer, drain, &drained).ok());
  const auto response = FanOut(GetCall("/info"));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->verdict(), pb::VERDICT_PARTIAL);
  EXPECT_EQ(response->expected_count(), 3);
  EXPECT_THAT(Ids(response->results()), ElementsAre("node-1", "node-3"));
  ASSERT_EQ(response->skipped_size(), 1);
  EXPECT_EQ(response->skipped(0).server_id(), "node-2");
  EXPECT_EQ(response->skipped(0).reason(), pb::SKIP_REASON_DRAINING);
  EXPECT_EQ(response->skipped(0).certainty(), pb::CERTAINTY_NOT_SENT);
  EXPECT_EQ(nodes_[1]->calls(), 0);
}

TEST_F(ThreeNodesTest, AKilledOneIsAFailureThenEvictedAndMayComeBack) {
  Watcher watcher(*registry_, "mTest");
  ASSERT_EQ(watcher.Next().snapshot().servers_size(), 3);
  const std::uint16_t port = nodes_[1]->port();
  nodes_[1].reset();

  auto response = FanOut(GetCall("/info"));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->verdict(), pb::VERDICT_PARTIAL);
  EXPECT_THAT(Ids(response->results()), ElementsAre("node-1", "node-3"));
  ASSERT_EQ(response->failures_size(), 1);
  EXPECT_EQ(response->failures(0).server_id(), "node-2");
  EXPECT_EQ(response->failures(0).reason(), pb::FAILURE_REASON_UNREACHABLE);
  EXPECT_EQ(response->failures(0).certainty(), pb::CERTAINTY_NOT_SENT);

  const pb::WatchClusterResponse event = watcher.NextEvent();
  EXPECT_EQ(event.change().type(), pb::CHANGE_TYPE_EVICTED);
  EXPECT_EQ(event.change().server().server_id(), "node-2");
  response = FanOut(GetCall("/info"));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->verdict(), pb::VERDICT_COMPLETE);
  EXPECT_EQ(response->expected_count(), 2);

  nodes_[1] = StartNode("node-2", port);
  response = FanOut(GetCall("/info"));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->verdict(), pb::VERDICT_COMPLETE);
  EXPECT_THAT(Ids(response->results()),
              ElementsAre("node-1", "node-2", "node-3"));
}

TEST_F(ThreeNodesTest, AStoppingServerRefusesAndEndsItsStreams) {
  Watcher watcher(*registry_, "mTest");
  ASSERT_TRUE(watcher.Next().has_snapshot());
  EXPECT_TRUE(server_->Stop().ok());
  const absl::Status status = watcher.End();
  EXPECT_TRUE(HasReason(status, Reason::kDraining)) << status;
}

}  // namespace
}  // namespace coord
