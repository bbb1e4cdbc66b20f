#include "server/fanout/aggregate.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/plain_format.h"

namespace coord {
namespace {

const PlainFormat kFormat;

NodeOutcome Result(std::string body) {
  NodeOutcome outcome;
  outcome.kind = NodeOutcome::Kind::kResult;
  outcome.server_id = "node-1";
  outcome.body = std::move(body);
  return outcome;
}

TEST(AggregateTest, SmallSliceIsCutOutOfALargeBody) {
  Aggregate aggregate(1 << 20, 0, kFormat);
  NodeOutcome outcome = Result(std::string(100'000, 'x') + "DATA");
  DataSlice data{true, 100'000, 4};
  aggregate.Add(BodyView::kNotSpliced, 0, outcome, data);
  EXPECT_EQ(outcome.body, "DATA");
  EXPECT_EQ(data.offset, 0u);
  EXPECT_LT(outcome.body.capacity(), 100u);
}

TEST(AggregateTest, BodyThatIsMostlySliceIsNotCopied) {
  Aggregate aggregate(1 << 20, 0, kFormat);
  NodeOutcome outcome = Result(std::string(100'000, 'x'));
  const char* memory = outcome.body.data();
  DataSlice data{true, 8, 99'000};
  aggregate.Add(BodyView::kNotSpliced, 0, outcome, data);
  EXPECT_EQ(outcome.body.data(), memory);
  EXPECT_EQ(data.offset, 8u);
}

TEST(AggregateTest, BodyThatNobodyWantsIsFreedAtOnce) {
  Aggregate aggregate(1 << 20, 0, kFormat);
  NodeOutcome outcome = Result(std::string(100'000, 'x'));
  DataSlice none;
  aggregate.Add(BodyView::kNone, 0, outcome, none);
  EXPECT_EQ(outcome.kind, NodeOutcome::Kind::kResult);
  EXPECT_LT(outcome.body.capacity(), 100u);
}

TEST(AggregateTest, BodyThatIsNotToldTakesNoRoom) {
  Aggregate aggregate(1000, 0, kFormat);
  for (int i = 0; i < 5; ++i) {
    NodeOutcome outcome = Result(std::string(900, 'x'));
    DataSlice data{true, 0, 10};
    aggregate.Add(BodyView::kNotSpliced, 0, outcome, data);
    EXPECT_EQ(outcome.kind, NodeOutcome::Kind::kResult) << i;
  }
}

TEST(AggregateTest, ToldBodiesHeadersAndSlicesTakeRoom) {
  const auto fits = [](BodyView view, NodeOutcome outcome, DataSlice data) {
    Aggregate aggregate(300, 0, kFormat);
    aggregate.Add(view, 0, outcome, data);
    return outcome.kind == NodeOutcome::Kind::kResult;
  };
  EXPECT_TRUE(fits(BodyView::kAll, Result("x"), {}));
  EXPECT_FALSE(fits(BodyView::kAll, Result(std::string(300, 'x')), {}));
  EXPECT_TRUE(fits(BodyView::kNone, Result(std::string(300, 'x')), {}));
  EXPECT_FALSE(
      fits(BodyView::kNone, Result(std::string(300, 'x')), {true, 0, 300}));
  NodeOutcome with_header = Result("");
  with_header.headers = {{"name", std::string(300, 'x')}};
  EXPECT_FALSE(fits(BodyView::kNone, with_header, {}));
}

TEST(AggregateTest, WhatFoundNoRoomLeavesItToLaterOnes) {
  Aggregate aggregate(500, 0, kFormat);
  NodeOutcome large = Result(std::string(600, 'x'));
  DataSlice all{true, 0, 600};
  aggregate.Add(BodyView::kNotSpliced, 0, large, all);
  EXPECT_EQ(large.failure, FailureReason::kTooLarge);
  EXPECT_FALSE(all.present);
  EXPECT_LT(large.body.capacity(), 100u);
  NodeOutcome small = Result("1");
  DataSlice one{true, 0, 1};
  aggregate.Add(BodyView::kNotSpliced, 0, small, one);
  EXPECT_EQ(small.kind, NodeOutcome::Kind::kResult);
}

TEST(SpliceDataTest, JoinsSlicesInOrderAndLeavesOutEmptyOnes) {
  std::vector<NodeCall> nodes(4);
  std::vector<NodeOutcome> outcomes = {Result("[]"), Result("[1,2]"),
                                       Result("none"), Result("\"x\"")};
  nodes[0].data = {true, 1, 0};
  nodes[1].data = {true, 1, 3};
  nodes[3].data = {true, 0, 3};
  EXPECT_EQ(SpliceData(BodyView::kNotSpliced, nodes, outcomes), "[1,2,\"x\"]");
  EXPECT_EQ(outcomes[1].body, "");
  EXPECT_EQ(outcomes[2].body, "none");
}

TEST(SpliceDataTest, NothingIsAnEmptyArray) {
  std::vector<NodeOutcome> none;
  EXPECT_EQ(SpliceData(BodyView::kAll, {}, none), "[]");
}

}  // namespace
}  // namespace coord
