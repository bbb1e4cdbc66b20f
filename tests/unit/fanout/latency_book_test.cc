#include "server/fanout/latency_book.h"

#include <gtest/gtest.h>

#include <memory>

namespace coord {
namespace {

ServerPtr NewServer() { return std::make_shared<const Server>(); }

TEST(LatencyBookTest, SaysNothingBeforeEnoughIsKnown) {
  LatencyBook book;
  const ServerPtr server = NewServer();
  for (int i = 0; i < 19; ++i) book.Add(server, absl::Milliseconds(1));
  EXPECT_EQ(book.P95(server), std::nullopt);
  book.Add(server, absl::Milliseconds(1));
  EXPECT_EQ(book.P95(server), absl::Milliseconds(1));
  EXPECT_EQ(book.P95(NewServer()), std::nullopt);
}

TEST(LatencyBookTest, OneOutlierOfTwentyIsLeftOut) {
  LatencyBook book;
  const ServerPtr server = NewServer();
  for (int i = 1; i <= 19; ++i) book.Add(server, absl::Milliseconds(i));
  book.Add(server, absl::Seconds(9));
  EXPECT_EQ(book.P95(server), absl::Milliseconds(19));
}

TEST(LatencyBookTest, OnlyTheLatestCount) {
  LatencyBook book;
  const ServerPtr server = NewServer();
  for (int i = 0; i < 32; ++i) book.Add(server, absl::Seconds(1));
  for (int i = 0; i < 31; ++i) book.Add(server, absl::Milliseconds(2));
  EXPECT_EQ(book.P95(server), absl::Milliseconds(2));
  for (int i = 0; i < 32; ++i) book.Add(server, absl::InfiniteDuration());
  EXPECT_GT(book.P95(server), absl::Hours(1));
}

TEST(LatencyBookTest, ForgetsServersThatAreGone) {
  LatencyBook book;
  const ServerPtr lives = NewServer();
  for (int i = 0; i < 20; ++i) book.Add(lives, absl::Milliseconds(1));
  for (int i = 0; i < 10'000; ++i) book.Add(NewServer(), absl::Seconds(1));
  EXPECT_LE(book.size(), 65u);
  EXPECT_EQ(book.P95(lives), absl::Milliseconds(1));
}

}  // namespace
}  // namespace coord
