// A second request overtakes the first one over real connections.
#include "gtest/gtest.h"
#include "tests/support/cluster_fixture.h"

namespace coord {
namespace {

class HedgeTest : public ClusterTest {};

TEST_F(HedgeTest, ASecondConnectionAnswersForOneThatHangs) {
  RawServer& node = AddRawNode("node-1", [](RawPeer& peer, int index) {
    if (peer.ReadRequest().empty()) return;
    if (index > 0) peer.Write(RawAnswer(200, R"({"data":7})"));
    peer.WaitForClose();
  });
  pb::FanOutRequest request = GetCall("/info");
  request.mutable_hedge()->mutable_delay()->set_nanos(5'000'000);
  const auto response = FanOut(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->verdict(), pb::VERDICT_COMPLETE);
  EXPECT_EQ(response->data_json(), "[7]");
  ASSERT_EQ(response->results_size(), 1);
  EXPECT_EQ(response->results(0).attempts(), 2);
  EXPECT_EQ(node.connections(), 2);
  node.WaitForEnded(1);  // the first request was given up
}

TEST_F(HedgeTest, WhatIsNotIdempotentIsNotHedged) {
  pb::FanOutRequest request = GetCall("/info");
  request.mutable_http()->set_method("POST");
  request.mutable_hedge();
  const absl::Status refusal = FanOut(request).status();
  EXPECT_EQ(refusal.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(refusal.message().find("hedge: must not be set for a call that is "
                                   "not idempotent"),
            absl::string_view::npos)
      << refusal;
}

}  // namespace
}  // namespace coord
