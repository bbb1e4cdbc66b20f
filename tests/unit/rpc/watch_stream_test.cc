#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/grpc_status.h"
#include "gtest/gtest.h"
#include "tests/support/watcher.h"
#include "tests/unit/rpc/service_fixture.h"

namespace coord {
namespace {

class WatchStreamTest : public ServiceTest {};

TEST_F(WatchStreamTest, AnUnknownTypeIsAnEmptySnapshotUntilItsBirth) {
  Watcher watcher(*registry_stub_, "mTest");
  pb::WatchClusterResponse event = watcher.Next();
  ASSERT_TRUE(event.has_snapshot());
  EXPECT_EQ(event.snapshot().cluster().id(), "");
  EXPECT_EQ(event.snapshot().cluster().type(), "mTest");
  EXPECT_EQ(event.snapshot().servers_size(), 0);
  EXPECT_TRUE(event.snapshot().last());

  Apply(ChangeType::kJoined, "node-1");
  for (;;) {
    event = watcher.Next();
    ASSERT_NE(event.event_case(), pb::WatchClusterResponse::EVENT_NOT_SET);
    if (event.change().server().server_id() == "node-1") break;
    if (event.snapshot().servers_size() == 1) break;
  }
}

TEST_F(WatchStreamTest, ChangesFollowTheSnapshotInOrder) {
  Join(1);
  Watcher watcher(*registry_stub_, "mTest");
  const pb::WatchClusterResponse snapshot = watcher.Next();
  ASSERT_EQ(snapshot.snapshot().servers_size(), 1);
  EXPECT_EQ(snapshot.snapshot().cluster().id(), "c1");
  EXPECT_FALSE(snapshot.snapshot().resume_token().empty());

  std::int64_t revision = snapshot.snapshot().cluster().revision();
  for (int i = 0; i < 100; ++i) {
    Apply(ChangeType::kJoined, absl::StrCat("n", i));
  }
  for (int i = 0; i < 100; ++i) {
    const pb::WatchClusterResponse event = watcher.Next();
    ASSERT_TRUE(event.has_change());
    EXPECT_EQ(event.change().type(), pb::CHANGE_TYPE_JOINED);
    EXPECT_EQ(event.change().server().server_id(), absl::StrCat("n", i));
    EXPECT_EQ(event.change().revision(), ++revision);
    EXPECT_EQ(event.change().cluster_id(), "c1");
  }
  Apply(ChangeType::kEvicted, "n7");
  const pb::WatchClusterResponse event = watcher.Next();
  EXPECT_EQ(event.change().type(), pb::CHANGE_TYPE_EVICTED);
  EXPECT_EQ(event.change().server().server_id(), "n7");
}

TEST_F(WatchStreamTest, ALargeClusterComesInChunks) {
  Join(1001);
  Watcher watcher(*registry_stub_, "mTest");
  std::set<std::string> ids;
  for (const int size : {500, 500, 1}) {
    const pb::WatchClusterResponse event = watcher.Next();
    ASSERT_EQ(event.snapshot().servers_size(), size);
    EXPECT_EQ(event.snapshot().cluster().server_count(), 1001);
    EXPECT_EQ(event.snapshot().last(), size == 1);
    EXPECT_EQ(event.snapshot().resume_token().empty(), size != 1);
    for (const pb::Server& server : event.snapshot().servers()) {
      ids.insert(server.server_id());
    }
  }
  EXPECT_EQ(ids.size(), 1001u);
}

TEST_F(WatchStreamTest, ATokenResumesRightAfterIt) {
  Join(1);
  std::string token;
  {
    Watcher watcher(*registry_stub_, "mTest");
    token = watcher.Next().snapshot().resume_token();
  }
  Apply(ChangeType::kJoined, "node-1");
  Apply(ChangeType::kJoined, "node-2");
  Watcher watcher(*registry_stub_, "mTest", token);
  pb::WatchClusterResponse event = watcher.Next();
  EXPECT_EQ(event.change().server().server_id(), "node-1");
  Watcher later(*registry_stub_, "mTest", event.change().resume_token());
  EXPECT_EQ(later.Next().change().server().server_id(), "node-2");
}

TEST_F(WatchStreamTest, ATokenOfAnotherProcessMeansReset) {
  Membership other({}, "epoch-0");
  other.Replace({"c1", "mTest", ""}, {}, other.Mark(), absl::UnixEpoch());
  const auto watch = other.OpenWatch("mTest", "", "", [] {});
  ASSERT_TRUE(watch.ok());
  const std::string token = (*watch)->Next().resume_token;

  Join(1);
  Watcher watcher(*registry_stub_, "mTest", token);
  EXPECT_EQ(watcher.Next().reset().reason(), "OTHER_PROCESS");
  EXPECT_EQ(watcher.Next().snapshot().servers_size(), 1);
}

TEST_F(WatchStreamTest, EndsWhenTheServerDrains) {
  Watcher watcher(*registry_stub_, "mTest");
  watcher.Next();
  drain_.Drain();
  const absl::Status status = watcher.End();
  EXPECT_TRUE(HasReason(status, Reason::kDraining)) << status;
  EXPECT_TRUE(DetailOf(status).retry_after.has_value());

  Watcher late(*registry_stub_, "mTest");
  EXPECT_TRUE(HasReason(late.End(), Reason::kDraining));
}

TEST_F(WatchStreamTest, ATypeThatIsNoneIsRefused) {
  Watcher watcher(*registry_stub_, "not a type");
  const absl::Status status = watcher.End();
  EXPECT_TRUE(HasReason(status, Reason::kInvalidField)) << status;
  EXPECT_EQ(status.message(), "type: must match [A-Za-z][A-Za-z0-9_-]{0,63}");
}

TEST_F(WatchStreamTest, CancelledWatchersDoNotHoldTheServer) {
  Join(1);
  for (int i = 0; i < 100; ++i) {
    Watcher watcher(*registry_stub_, "mTest");
    watcher.Next();
    Apply(ChangeType::kJoined, absl::StrCat("n", i));
  }
  StopServing();
}

class BookmarkTest : public ServiceTest {
 protected:
  BookmarkTest() : ServiceTest({.bookmark_interval = absl::Milliseconds(1)}) {}
};

TEST_F(BookmarkTest, IdleWatchersHearWhereTheyStand) {
  Join(1);
  Watcher watcher(*registry_stub_, "mTest");
  const pb::WatchClusterResponse snapshot = watcher.Next();
  EXPECT_TRUE(snapshot.snapshot().cluster().has_membership_age());
  for (int i = 0; i < 3; ++i) {
    const pb::WatchClusterResponse event = watcher.Next();
    ASSERT_TRUE(event.has_bookmark());
    EXPECT_EQ(event.bookmark().revision(),
              snapshot.snapshot().cluster().revision());
    EXPECT_EQ(event.bookmark().resume_token(),
              snapshot.snapshot().resume_token());
    EXPECT_TRUE(event.bookmark().has_time());
    EXPECT_TRUE(event.bookmark().has_membership_age());
  }
  Apply(ChangeType::kJoined, "node-1");
  EXPECT_EQ(watcher.NextEvent().change().server().server_id(), "node-1");
}

class SlowWatcherTest : public ServiceTest {
 protected:
  SlowWatcherTest() : ServiceTest({}, {.limits = {.changes = 16}}) {}
};

TEST_F(SlowWatcherTest, IsResetAndThenComplete) {
  Join(1);
  Watcher watcher(*registry_stub_, "mTest");
  ASSERT_TRUE(watcher.Next().has_snapshot());
  // More than the connection buffers, so that changes fall out of the log.
  const std::string url =
      absl::StrCat("http://127.0.0.1:1/", std::string(2000, 'x'));
  std::set<std::string> expected = {"s0000"};
  for (int i = 0; i < 5000; ++i) {
    expected.insert(absl::StrCat("n", i));
    Apply(ChangeType::kJoined, absl::StrCat("n", i), url);
  }
  std::set<std::string> seen = {"s0000"};
  bool reset = false;
  while (seen != expected || !reset) {
    const pb::WatchClusterResponse event = watcher.Next();
    ASSERT_NE(event.event_case(), pb::WatchClusterResponse::EVENT_NOT_SET);
    if (event.has_reset()) {
      EXPECT_EQ(event.reset().reason(), "SLOW_WATCHER");
      reset = true;
      seen.clear();
    }
    for (const pb::Server& server : event.snapshot().servers()) {
      EXPECT_TRUE(seen.insert(server.server_id()).second);
    }
    if (event.has_change()) {
      EXPECT_TRUE(seen.insert(event.change().server().server_id()).second);
    }
  }
}

class WatcherLimitTest : public ServiceTest {
 protected:
  WatcherLimitTest() : ServiceTest({}, {.max_watchers = 1}) {}
};

TEST_F(WatcherLimitTest, OneTooManyIsRefusedAndAnEndedOneMakesRoom) {
  {
    Watcher first(*registry_stub_, "mTest");
    ASSERT_TRUE(first.Next().has_snapshot());
    Watcher second(*registry_stub_, "mTest");
    EXPECT_TRUE(HasReason(second.End(), Reason::kTooManyWatchers));
  }
  for (;;) {
    Watcher next(*registry_stub_, "mTest");
    if (next.Next().has_snapshot()) break;
  }
}

}  // namespace
}  // namespace coord
