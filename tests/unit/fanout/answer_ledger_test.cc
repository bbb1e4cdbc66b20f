#include "server/fanout/answer_ledger.h"

#include <gtest/gtest.h>

#include "server/http/transport.h"

namespace coord {
namespace {

constexpr std::size_t kRead = kUnaskedAnswerBytes;

TEST(AnswerLedgerTest, AnswersGrowUpToTheLimit) {
  AnswerLedger ledger(100);
  EXPECT_TRUE(ledger.Grow(1, 60));
  EXPECT_TRUE(ledger.Grow(2, 40));
  EXPECT_TRUE(ledger.full());
  ledger.End(1, 60);
  EXPECT_EQ(ledger.held(), 40u);
  EXPECT_TRUE(ledger.Grow(3, 60));
}

TEST(AnswerLedgerTest, WhatTheReaderHasNotTakenCounts) {
  AnswerLedger ledger(100);
  ledger.Deliver(70);
  EXPECT_FALSE(ledger.Grow(1, 40));
  EXPECT_FALSE(ledger.NextToGoOn().has_value());
  ledger.Take(10);
  const auto next = ledger.NextToGoOn();
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->node, 1u);
  EXPECT_EQ(next->bytes, 40u);
  EXPECT_EQ(ledger.held(), 100u);
  EXPECT_FALSE(ledger.holds_up());
}

TEST(AnswerLedgerTest, HeldUpAnswersGoOnInOrder) {
  AnswerLedger ledger(100);
  ledger.Deliver(100);
  EXPECT_FALSE(ledger.Grow(1, 80));
  EXPECT_FALSE(ledger.Grow(2, 10));
  ledger.Take(50);
  EXPECT_FALSE(ledger.NextToGoOn().has_value());  // nobody overtakes 1
  EXPECT_FALSE(ledger.Grow(3, 10));
  ledger.Take(30);
  EXPECT_EQ(ledger.NextToGoOn()->node, 1u);
  EXPECT_FALSE(ledger.NextToGoOn().has_value());
  ledger.Take(20);
  EXPECT_EQ(ledger.NextToGoOn()->node, 2u);
  EXPECT_EQ(ledger.NextToGoOn()->node, 3u);
}

TEST(AnswerLedgerTest, OneAnswerMayGrowBeyondWhileNothingWaitsForTheReader) {
  AnswerLedger ledger(100);
  EXPECT_TRUE(ledger.Grow(1, 50));
  EXPECT_TRUE(ledger.Grow(2, 50));
  EXPECT_TRUE(ledger.Grow(1, 50));
  EXPECT_FALSE(ledger.Grow(2, 50));
  EXPECT_TRUE(ledger.Grow(1, 500));
  EXPECT_FALSE(ledger.NextToGoOn().has_value());

  // It is whole now, and nobody follows before it has been read.
  ledger.End(1, 600);
  ledger.Deliver(600);
  EXPECT_FALSE(ledger.NextToGoOn().has_value());
  EXPECT_FALSE(ledger.Grow(3, 1));
  ledger.Take(600);
  EXPECT_EQ(ledger.NextToGoOn()->node, 2u);
  EXPECT_EQ(ledger.held(), 100u);
}

TEST(AnswerLedgerTest, AnswerThatIsGivenUpWaitsNoMore) {
  AnswerLedger ledger(100);
  ledger.Deliver(100);
  EXPECT_FALSE(ledger.Grow(1, 10));
  EXPECT_FALSE(ledger.Grow(2, 10));
  ledger.End(1, 0);
  ledger.Take(100);
  EXPECT_EQ(ledger.NextToGoOn()->node, 2u);
  EXPECT_FALSE(ledger.NextToGoOn().has_value());
}

TEST(AnswerLedgerTest, RequestsAreSentWhileTheirFirstReadsFit) {
  AnswerLedger ledger(10 * kRead);
  EXPECT_TRUE(ledger.MaySend(9));
  EXPECT_FALSE(ledger.MaySend(10));
  ledger.Deliver(9 * kRead);
  EXPECT_TRUE(ledger.MaySend(0));
  EXPECT_FALSE(ledger.MaySend(1));
  ledger.Deliver(kRead);
  EXPECT_FALSE(ledger.MaySend(0));
}

TEST(AnswerLedgerTest, OneIsSentHoweverSmallTheLimit) {
  AnswerLedger ledger(1);
  EXPECT_TRUE(ledger.MaySend(0));
  EXPECT_FALSE(ledger.MaySend(1));
  EXPECT_TRUE(ledger.Grow(1, 1000));
}

}  // namespace
}  // namespace coord
