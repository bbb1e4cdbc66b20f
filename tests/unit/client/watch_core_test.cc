#include "client/cpp/watch_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

#include "absl/random/random.h"
#include "absl/synchronization/notification.h"
#include "tests/support/manual_loop.h"
#include "tests/unit/client/scripted_server.h"

namespace coord {
namespace {

using testing::AllOf;
using testing::Ge;
using testing::IsEmpty;
using testing::Le;
using testing::SizeIs;

pb::WatchClusterResponse Snapshot(const std::string& token, bool last = true) {
  pb::WatchClusterResponse event;
  event.mutable_snapshot()->set_last(last);
  event.mutable_snapshot()->set_resume_token(token);
  return event;
}

pb::WatchClusterResponse Change(const std::string& token) {
  pb::WatchClusterResponse event;
  event.mutable_change()->set_resume_token(token);
  return event;
}

pb::WatchClusterResponse Bookmark(const std::string& token) {
  pb::WatchClusterResponse event;
  event.mutable_bookmark()->set_resume_token(token);
  return event;
}

pb::WatchClusterResponse ResetEvent() {
  pb::WatchClusterResponse event;
  event.mutable_reset()->set_reason("SLOW_WATCHER");
  return event;
}

class WatchCoreTest : public testing::Test {
 protected:
  ~WatchCoreTest() override {
    if (!core_.has_value()) return;
    bool closed = false;
    core_->Close([&closed] { closed = true; });
    while (!closed) loop_.WaitForPost();
  }

  // Every stream brings these events and then ends, or stays.
  void Start(std::vector<pb::WatchClusterResponse> events, bool stays = false) {
    server_.on_watch = [this, events, stays](
                           const pb::WatchClusterRequest&, grpc::ServerContext&,
                           grpc::ServerWriter<pb::WatchClusterResponse>& out) {
      for (const auto& event : events) out.Write(event);
      if (stays) end_.WaitForNotification();
      return grpc::Status::OK;
    };
    StartScripted();
  }

  void StartScripted() {
    client_.emplace(server_.Connect());
    options_.request.set_type("orders");
    options_.callbacks = {
        .on_event = [this](const auto& it) { events_.push_back(it); },
        .on_lost = [this](const auto& it) { losses_.push_back(it); },
        .on_stopped = [this](const auto& it) { stops_.push_back(it); }};
    core_.emplace(loop_, client_->channel(), options_, random_);
    core_->Start();
  }

  void AwaitEvents(std::size_t count) {
    while (events_.size() < count) loop_.WaitForPost();
  }
  void AwaitLosses(std::size_t count) {
    while (losses_.size() < count) loop_.WaitForPost();
  }

  // The token with which a stream that broke off is taken up again.
  std::string TokenAfter(std::vector<pb::WatchClusterResponse> events) {
    Start(std::move(events));
    AwaitLosses(1);
    loop_.Advance(loop_.NextTimer());
    AwaitLosses(2);
    return server_.watched()[1].resume_token();
  }

  absl::Notification end_;
  ScriptedServer server_;
  ManualLoop loop_;
  absl::BitGen random_;
  std::optional<Client> client_;
  WatchOptions options_;
  std::vector<pb::WatchClusterResponse> events_;
  std::vector<absl::Status> losses_;
  std::vector<absl::Status> stops_;
  std::optional<WatchCore> core_;
};

TEST_F(WatchCoreTest, BringsEventsInOrder) {
  Start({Snapshot("a"), Change("b"), Bookmark("c")});
  AwaitLosses(1);
  ASSERT_THAT(events_, SizeIs(3));
  EXPECT_TRUE(events_[0].has_snapshot());
  EXPECT_EQ(events_[1].change().resume_token(), "b");
  EXPECT_EQ(events_[2].bookmark().resume_token(), "c");
  EXPECT_EQ(server_.watched()[0].type(), "orders");
  EXPECT_EQ(server_.watched()[0].resume_token(), "");
}

TEST_F(WatchCoreTest, ResumesAfterASnapshot) {
  EXPECT_EQ(TokenAfter({Snapshot("a")}), "a");
}

TEST_F(WatchCoreTest, ResumesAfterTheLastChange) {
  EXPECT_EQ(TokenAfter({Snapshot("a"), Change("b"), Change("c")}), "c");
}

TEST_F(WatchCoreTest, ResumesAfterABookmark) {
  EXPECT_EQ(TokenAfter({Snapshot("a"), Bookmark("b")}), "b");
}

TEST_F(WatchCoreTest, BeginsAnewAfterASnapshotThatBrokeOff) {
  EXPECT_EQ(TokenAfter({Snapshot("a"), Snapshot("", false)}), "");
}

TEST_F(WatchCoreTest, BeginsAnewAfterAReset) {
  EXPECT_EQ(TokenAfter({Snapshot("a"), ResetEvent()}), "");
}

TEST_F(WatchCoreTest, WaitsLongerWhileNothingComes) {
  Start({});
  std::size_t losses = 0;
  for (const int limit_ms : {500, 1000, 2000, 4000, 8000, 15000, 15000}) {
    AwaitLosses(++losses);
    ASSERT_THAT(loop_.NextTimer(), AllOf(Ge(absl::Milliseconds(limit_ms) / 2),
                                         Le(absl::Milliseconds(limit_ms))));
    loop_.Advance(loop_.NextTimer());
  }
}

TEST_F(WatchCoreTest, GivesUpAStreamThatIsSilent) {
  Start({Snapshot("a")}, /*stays=*/true);
  AwaitEvents(1);
  EXPECT_THAT(losses_, IsEmpty());
  loop_.Advance(options_.idle_timeout);
  AwaitLosses(1);
  EXPECT_EQ(losses_[0].code(), absl::StatusCode::kCancelled);
  end_.Notify();
}

TEST_F(WatchCoreTest, StopsForGoodWhenRefused) {
  server_.on_watch = [](const auto&, auto&, auto&) {
    return Refuse(Reason::kClusterAmbiguous, "watch orders: 2 clusters");
  };
  StartScripted();
  while (stops_.empty()) loop_.WaitForPost();
  EXPECT_TRUE(HasReason(stops_[0], Reason::kClusterAmbiguous)) << stops_[0];
  EXPECT_EQ(stops_[0].message(), "watch orders: 2 clusters");
  EXPECT_EQ(loop_.timers(), 0);
  EXPECT_THAT(losses_, IsEmpty());
}

}  // namespace
}  // namespace coord
