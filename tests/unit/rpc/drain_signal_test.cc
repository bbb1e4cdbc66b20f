#include "server/rpc/drain_signal.h"

#include <optional>
#include <utility>

#include "gtest/gtest.h"

namespace coord {
namespace {

TEST(DrainSignalTest, TellsEverySubscriberOnce) {
  DrainSignal signal;
  int told = 0;
  auto a = signal.Subscribe([&] { ++told; });
  auto b = signal.Subscribe([&] { ++told; });
  signal.Drain();
  signal.Drain();
  EXPECT_EQ(told, 2);
}

TEST(DrainSignalTest, WhoComesLateIsToldAtOnce) {
  DrainSignal signal;
  signal.Drain();
  bool told = false;
  auto subscription = signal.Subscribe([&] { told = true; });
  EXPECT_TRUE(told);
}

TEST(DrainSignalTest, AnEndedSubscriptionIsNotTold) {
  DrainSignal signal;
  bool told = false;
  auto subscription = signal.Subscribe([&] { told = true; });
  subscription = {};
  signal.Drain();
  EXPECT_FALSE(told);
}

TEST(DrainSignalTest, ASubscriptionMayMove) {
  DrainSignal signal;
  int told = 0;
  std::optional<DrainSignal::Subscription> first =
      signal.Subscribe([&] { ++told; });
  DrainSignal::Subscription second = std::move(*first);
  first.reset();
  signal.Drain();
  EXPECT_EQ(told, 1);
}

// A callback may end subscriptions, its own included.
TEST(DrainSignalTest, ACallbackMayUnsubscribe) {
  DrainSignal signal;
  int told = 0;
  DrainSignal::Subscription subscription;
  subscription = signal.Subscribe([&] {
    ++told;
    subscription = {};
  });
  signal.Drain();
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace coord
