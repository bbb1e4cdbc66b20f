// Watchers, wakes and changes on several threads.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "server/core/membership.h"
#include "tests/unit/core/records.h"

namespace coord {
namespace {

using Kind = WatchEvent::Kind;

TEST(WatchThreadsTest, TenThousandWatchersHearOfOneChange) {
  Membership membership({}, "life");
  membership.Apply(kCluster, Joined(Record("a", 1)), At(1));
  std::atomic<int> wakes = 0;
  std::vector<std::unique_ptr<Watch>> watches;
  for (int i = 0; i < 10'000; ++i) {
    watches.push_back(
        *membership.OpenWatch("mTest", "", "", [&wakes] { ++wakes; }));
    ASSERT_EQ(watches.back()->Next().kind, Kind::kSnapshot);
    ASSERT_EQ(watches.back()->Next().kind, Kind::kNothing);
  }
  membership.Apply(kCluster, Joined(Record("b", 1)), At(1));
  EXPECT_EQ(wakes, 10'000);
  for (const auto& watch : watches) {
    ASSERT_EQ(watch->Next().change.server->server_id, "b");
  }
}

TEST(WatchThreadsTest, ClosingWaitsForAWakeThatRuns) {
  Membership membership({}, "life");
  absl::Notification waking;
  absl::Notification go_on;
  std::atomic<bool> woken = false;
  auto watch = *membership.OpenWatch("mTest", "", "", [&] {
    waking.Notify();
    go_on.WaitForNotification();
    woken = true;
  });
  watch->Next();
  watch->Next();
  std::thread writer(
      [&] { membership.Apply(kCluster, Joined(Record("a", 1)), At(1)); });
  waking.WaitForNotification();
  // The lock of Membership is not held over the callback.
  EXPECT_EQ(membership.List().size(), 1);
  std::thread closer([&] {
    watch.reset();
    EXPECT_TRUE(woken);
  });
  go_on.Notify();
  closer.join();
  writer.join();
}

TEST(WatchThreadsTest, WakeMayCloseItsOwnWatch) {
  Membership membership({}, "life");
  std::unique_ptr<Watch> watch;
  int wakes = 0;
  watch = *membership.OpenWatch("mTest", "", "", [&] {
    ++wakes;
    watch.reset();
  });
  watch->Next();
  watch->Next();
  membership.Apply(kCluster, Joined(Record("a", 1)), At(1));
  membership.Apply(kCluster, Joined(Record("b", 1)), At(1));
  EXPECT_EQ(wakes, 1);
  EXPECT_EQ(watch, nullptr);
}

TEST(WatchThreadsTest, WatchersComeAndGoWhileTheClusterChanges) {
  Membership membership({.limits = {.changes = 8}}, "life");
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 0; i < 2'000; ++i) {
      const std::string id = absl::StrCat("s", i % 10);
      membership.Apply(kCluster, Joined(Record(id, i)), At(i));
      if (i % 3 == 0) membership.Apply(kCluster, Left(Record(id, i)), At(i));
      if (i % 50 == 0) membership.Expire(At(i));
    }
    done = true;
  });
  std::vector<std::thread> watchers;
  watchers.reserve(4);
  for (int i = 0; i < 4; ++i) {
    watchers.emplace_back([&] {
      std::string token;
      while (!done) {
        int wakes = 0;  // the watch's destructor makes this safe
        absl::Mutex mutex;
        auto watch = *membership.OpenWatch("mTest", "", token, [&] {
          absl::MutexLock lock(&mutex);
          ++wakes;
        });
        for (int n = 0; n < 20; ++n) watch->Next();
        token = watch->resume_token();
      }
    });
  }
  writer.join();
  for (std::thread& watcher : watchers) watcher.join();
  EXPECT_EQ(membership.List().size(), 1);
}

}  // namespace
}  // namespace coord
