#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "common/error.h"
#include "server/core/membership.h"
#include "server/core/resume_token.h"
#include "tests/unit/core/records.h"

namespace coord {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = WatchEvent::Kind;

class WatchTest : public ::testing::Test {
 protected:
  std::unique_ptr<Watch> Open(std::string_view type = "mTest",
                              std::string_view id = "",
                              std::string_view token = "") {
    auto watch = membership_.OpenWatch(type, id, token, [this] { ++wakes_; });
    EXPECT_TRUE(watch.ok()) << watch.status();
    return *std::move(watch);
  }
  void Join(const std::string& id, int date = 1) {
    membership_.Apply(kCluster, Joined(Record(id, date)), At(date));
  }
  void Leave(const std::string& id) {
    membership_.Apply(kCluster, Left(Record(id, 0)), At(0));
  }

  Membership membership_{{.limits = {.changes = 4}, .max_watchers = 3},
                         "life-1"};
  int wakes_ = 0;
};

TEST_F(WatchTest, StartsWithASnapshotAndGoesOnWithChanges) {
  Join("a");
  auto watch = Open();
  WatchEvent event = watch->Next();
  ASSERT_EQ(event.kind, Kind::kSnapshot);
  EXPECT_THAT(Ids(*event.snapshot), ElementsAre("a"));
  EXPECT_EQ(event.cluster, kCluster);
  EXPECT_EQ(event.revision, event.snapshot->revision);
  EXPECT_EQ(watch->Next().kind, Kind::kNothing);

  Join("b");
  Join("b", 2);
  Leave("a");
  event = watch->Next();
  ASSERT_EQ(event.kind, Kind::kChange);
  EXPECT_EQ(event.change.type, ChangeType::kJoined);
  EXPECT_EQ(*event.change.server, Record("b", 1));
  EXPECT_EQ(event.cluster, kCluster);
  event = watch->Next();
  EXPECT_EQ(event.change.type, ChangeType::kUpdated);
  EXPECT_EQ(*event.change.server, Record("b", 2));
  event = watch->Next();
  EXPECT_EQ(event.change.type, ChangeType::kLeft);
  EXPECT_EQ(*event.change.server, Record("a", 1));
  EXPECT_EQ(event.revision, watch->revision());
  EXPECT_EQ(event.resume_token, watch->resume_token());
  EXPECT_EQ(watch->Next().kind, Kind::kNothing);
}

TEST_F(WatchTest, EvictionIsToldAsSuch) {
  Join("a");
  auto watch = Open();
  watch->Next();
  membership_.Remove({"c1", "a"}, ChangeType::kEvicted, At(2));
  const WatchEvent event = watch->Next();
  EXPECT_EQ(event.change.type, ChangeType::kEvicted);
  EXPECT_EQ(event.change.server->server_id, "a");
}

TEST_F(WatchTest, StateIsToldAsAnUpdate) {
  Join("a");
  auto watch = Open();
  watch->Next();
  membership_.SetState({"c1", "a"}, {"v1"}, ServerState::kDraining, At(2));
  const WatchEvent event = watch->Next();
  EXPECT_EQ(event.change.type, ChangeType::kUpdated);
  EXPECT_EQ(event.change.server->state, ServerState::kDraining);
}

TEST_F(WatchTest, WakesOncePerTransition) {
  Join("a");
  auto watch = Open();
  watch->Next();
  Join("b");
  EXPECT_EQ(wakes_, 0) << "not armed before Next had nothing";
  watch->Next();
  EXPECT_EQ(watch->Next().kind, Kind::kNothing);
  EXPECT_EQ(watch->Next().kind, Kind::kNothing);
  Join("b");
  EXPECT_EQ(wakes_, 0) << "nothing changed";
  Join("c");
  Join("d");
  EXPECT_EQ(wakes_, 1);
  watch->Next();
  watch->Next();
  Join("e");
  EXPECT_EQ(wakes_, 1);
}

TEST_F(WatchTest, ClosedWatchIsNotWoken) {
  Join("a");
  auto watch = Open();
  watch->Next();
  watch->Next();
  auto unborn = Open("other");
  unborn->Next();
  unborn->Next();
  watch.reset();
  unborn.reset();
  Join("b");
  membership_.Apply({"c2", "other", ""}, Joined(Record("a", 1)), At(1));
  EXPECT_EQ(wakes_, 0);
}

TEST_F(WatchTest, UnknownTypeIsFollowedFromItsBirth) {
  auto watch = Open();
  WatchEvent event = watch->Next();
  ASSERT_EQ(event.kind, Kind::kSnapshot);
  EXPECT_EQ(event.snapshot, nullptr);
  EXPECT_EQ(event.resume_token, "");
  EXPECT_EQ(watch->resume_token(), "");
  EXPECT_EQ(watch->Next().kind, Kind::kNothing);

  membership_.Apply({"c2", "other", ""}, Joined(Record("x", 1)), At(1));
  EXPECT_EQ(wakes_, 0);
  Join("a");
  Join("b");
  EXPECT_EQ(wakes_, 1);
  event = watch->Next();
  ASSERT_EQ(event.kind, Kind::kChange);
  EXPECT_EQ(event.change.server->server_id, "a");
  EXPECT_EQ(event.cluster, kCluster);
  EXPECT_EQ(watch->Next().change.server->server_id, "b");
  EXPECT_EQ(watch->Next().kind, Kind::kNothing);
}

TEST_F(WatchTest, UnknownIdIsFollowedFromItsBirth) {
  auto watch = Open("", "c1");
  EXPECT_EQ(watch->Next().snapshot, nullptr);
  EXPECT_EQ(watch->Next().kind, Kind::kNothing);
  membership_.Apply({"c2", "mTest", ""}, Joined(Record("x", 1)), At(1));
  EXPECT_EQ(wakes_, 0);
  Join("a");
  EXPECT_EQ(wakes_, 1);
  EXPECT_EQ(watch->Next().change.server->server_id, "a");
}

TEST_F(WatchTest, IdOfAnotherTypeIsNotFollowed) {
  auto watch = Open("other", "c1");
  EXPECT_EQ(watch->Next().snapshot, nullptr);
  EXPECT_EQ(watch->Next().kind, Kind::kNothing);
  Join("a");
  EXPECT_EQ(wakes_, 0);
  EXPECT_EQ(watch->Next().kind, Kind::kNothing);
}

TEST_F(WatchTest, BirthThatWasMissedIsAReset) {
  auto watch = Open();
  watch->Next();
  watch->Next();
  for (const char* id : {"a", "b", "c", "d", "e"}) Join(id);
  EXPECT_EQ(wakes_, 1);
  WatchEvent event = watch->Next();
  ASSERT_EQ(event.kind, Kind::kReset);
  EXPECT_EQ(event.reset_cause, ResetCause::kSlowWatcher);
  EXPECT_EQ(watch->resume_token(), "");
  event = watch->Next();
  ASSERT_EQ(event.kind, Kind::kSnapshot);
  EXPECT_THAT(Ids(*event.snapshot), ElementsAre("a", "b", "c", "d", "e"));
}

TEST_F(WatchTest, SlowWatcherIsReset) {
  Join("a");
  auto watch = Open();
  watch->Next();
  for (const char* id : {"b", "c", "d", "e"}) Join(id);
  EXPECT_EQ(watch->Next().change.server->server_id, "b");
  Join("f");
  EXPECT_EQ(watch->Next().change.server->server_id, "c") << "still in the log";
  Join("g");
  Join("h");
  WatchEvent event = watch->Next();
  ASSERT_EQ(event.kind, Kind::kReset);
  EXPECT_EQ(event.reset_cause, ResetCause::kSlowWatcher);
  EXPECT_EQ(event.resume_token, "");
  event = watch->Next();
  ASSERT_EQ(event.kind, Kind::kSnapshot);
  EXPECT_EQ(event.snapshot->servers.size(), 8);
  EXPECT_EQ(watch->Next().kind, Kind::kNothing);
}

TEST_F(WatchTest, EmptyClusterOfATypeGivesWayToOneWithServers) {
  Join("a");
  auto watch = Open();
  watch->Next();
  Leave("a");
  EXPECT_EQ(watch->Next().change.type, ChangeType::kLeft);
  EXPECT_EQ(watch->Next().kind, Kind::kNothing);

  const ClusterIdentity other{"c2", "mTest", ""};
  membership_.Apply(other, Joined(Record("b", 1)), At(1));
  EXPECT_EQ(wakes_, 1);
  const WatchEvent event = watch->Next();
  ASSERT_EQ(event.kind, Kind::kChange);
  EXPECT_EQ(event.change.server->server_id, "b");
  EXPECT_EQ(event.cluster, other);
  EXPECT_EQ(watch->Next().kind, Kind::kNothing);
  Join("a");
  EXPECT_EQ(wakes_, 1) << "it follows the other one now";
}

TEST_F(WatchTest, MovingToAnOlderClusterIsAReset) {
  const ClusterIdentity other{"c2", "mTest", ""};
  membership_.Apply(other, Joined(Record("b", 1)), At(1));
  Join("a");
  auto watch = Open("mTest", "c1");
  auto token = watch->Next().resume_token;
  auto by_type = Open("mTest", "", token);
  EXPECT_EQ(by_type->Next().kind, Kind::kNothing);
  Leave("a");
  EXPECT_EQ(by_type->Next().change.type, ChangeType::kLeft);
  EXPECT_EQ(by_type->Next().kind, Kind::kReset);
  const WatchEvent event = by_type->Next();
  ASSERT_EQ(event.kind, Kind::kSnapshot);
  EXPECT_EQ(event.cluster, other);
  // One that named its cluster stays.
  EXPECT_EQ(watch->Next().change.type, ChangeType::kLeft);
  EXPECT_EQ(watch->Next().kind, Kind::kNothing);
}

TEST_F(WatchTest, WatcherWaitsUntilOnlyOneClusterHasServers) {
  const ClusterIdentity second{"c2", "mTest", ""};
  const ClusterIdentity third{"c3", "mTest", ""};
  Join("a");
  auto watch = Open();
  watch->Next();
  membership_.Apply(second, Joined(Record("b", 1)), At(1));
  membership_.Apply(third, Joined(Record("c", 1)), At(1));
  Leave("a");
  EXPECT_EQ(watch->Next().change.type, ChangeType::kLeft);
  EXPECT_EQ(watch->Next().kind, Kind::kNothing);
  membership_.Apply(third, Left(Record("c", 1)), At(2));
  EXPECT_EQ(wakes_, 1);
  EXPECT_EQ(watch->Next().kind, Kind::kReset);
  EXPECT_EQ(watch->Next().cluster, second);
}

TEST_F(WatchTest, TokenResumesExclusively) {
  Join("a");
  Join("b");
  auto watch = Open();
  std::string token = watch->Next().resume_token;
  Join("c");
  Join("d");
  auto resumed = Open("mTest", "", token);
  EXPECT_EQ(resumed->resume_token(), token);
  WatchEvent event = resumed->Next();
  ASSERT_EQ(event.kind, Kind::kChange);
  EXPECT_EQ(event.change.server->server_id, "c");
  resumed = Open("", "c1", event.resume_token);
  EXPECT_EQ(resumed->Next().change.server->server_id, "d");
  EXPECT_EQ(resumed->Next().kind, Kind::kNothing);
  resumed = Open("mTest", "", resumed->resume_token());
  EXPECT_EQ(resumed->Next().kind, Kind::kNothing);
  Join("e");
  EXPECT_EQ(wakes_, 1);
}

class TokenTest : public WatchTest {
 protected:
  // The cause of the reset that `token` leads to, and that a snapshot follows.
  ResetCause ResetBy(std::string_view token, std::string_view type = "mTest") {
    auto watch = Open(type, "", token);
    EXPECT_EQ(watch->resume_token(), "");
    const WatchEvent event = watch->Next();
    EXPECT_EQ(event.kind, Kind::kReset);
    EXPECT_EQ(watch->Next().kind, Kind::kSnapshot);
    EXPECT_EQ(watch->Next().kind, Kind::kNothing);
    return event.reset_cause;
  }
  std::string Token() { return Open()->Next().resume_token; }
};

TEST_F(TokenTest, NonsenseIsExpired) {
  Join("a");
  EXPECT_EQ(ResetBy("nonsense"), ResetCause::kTokenExpired);
}

TEST_F(TokenTest, OtherLifeIsOtherProcess) {
  Join("a");
  const std::string token = FormatResumeToken({"life-0", "c1", 1});
  EXPECT_EQ(ResetBy(token), ResetCause::kOtherProcess);
  EXPECT_EQ(ResetBy(token, "unknown"), ResetCause::kOtherProcess);
}

TEST_F(TokenTest, TokenOlderThanTheLogIsExpired) {
  Join("a");
  const std::string token = Token();
  for (const char* id : {"b", "c", "d", "e"}) Join(id);
  EXPECT_EQ(Open("mTest", "", token)->Next().change.server->server_id, "b");
  Join("f");
  EXPECT_EQ(ResetBy(token), ResetCause::kTokenExpired);
}

TEST_F(TokenTest, TokenFromTheFutureIsExpired) {
  Join("a");
  EXPECT_EQ(ResetBy(FormatResumeToken({"life-1", "c1", 2})),
            ResetCause::kTokenExpired);
  EXPECT_EQ(ResetBy(FormatResumeToken({"life-1", "c1", -1})),
            ResetCause::kTokenExpired);
}

TEST_F(TokenTest, TokenOfAnotherClusterIsExpired) {
  Join("a");
  const std::string token = Token();
  membership_.Apply({"c2", "other", ""}, Joined(Record("b", 1)), At(1));
  EXPECT_EQ(ResetBy(token, "other"), ResetCause::kTokenExpired);
  EXPECT_EQ(ResetBy(token, "unknown"), ResetCause::kTokenExpired);
}

TEST_F(TokenTest, TokenOfAClusterThatWasDroppedIsExpired) {
  Join("a");
  Leave("a");
  const std::string token = Token();
  membership_.Expire(At(100'000));
  ASSERT_THAT(membership_.List(), IsEmpty());
  EXPECT_EQ(ResetBy(token), ResetCause::kTokenExpired);
  membership_.Apply({"c2", "other", ""}, Joined(Record("b", 1)), At(1));
  Join("a");
  EXPECT_EQ(ResetBy(token), ResetCause::kTokenExpired);
}

TEST_F(TokenTest, TokenSettlesWhichOfSeveralClusters) {
  Join("a");
  const std::string token = Token();
  membership_.Apply({"c2", "mTest", ""}, Joined(Record("b", 1)), At(1));
  EXPECT_TRUE(HasReason(membership_.OpenWatch("mTest", "", "", [] {}).status(),
                        Reason::kClusterAmbiguous));
  EXPECT_TRUE(HasReason(membership_.OpenWatch("mTest", "", "?", [] {}).status(),
                        Reason::kClusterAmbiguous));
  auto watch = Open("mTest", "", token);
  EXPECT_EQ(watch->Next().kind, Kind::kNothing);
  Join("c");
  EXPECT_EQ(watch->Next().change.server->server_id, "c");
}

TEST_F(WatchTest, WatchersAreLimited) {
  auto one = Open();
  auto two = Open("other");
  auto three = Open();
  const auto four = membership_.OpenWatch("mTest", "", "", [] {});
  EXPECT_TRUE(HasReason(four.status(), Reason::kTooManyWatchers));
  EXPECT_EQ(four.status().message(),
            "watch cluster: 3 watchers are open, which is the limit "
            "(--max-watchers)");
  two.reset();
  Open();
}

}  // namespace
}  // namespace coord
