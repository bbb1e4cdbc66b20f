#include "server/node/session_table.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace coord {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1000);
const RegistrationKey kKey{"t", "a", ""};

TEST(SessionTableTest, ASessionLivesForItsTtl) {
  SessionTable sessions;
  sessions.Open("s", kKey, absl::Seconds(10), kStart);
  EXPECT_TRUE(sessions.TakeExpired(kStart + absl::Seconds(9)).empty());
  const auto expired = sessions.TakeExpired(kStart + absl::Seconds(10));
  ASSERT_EQ(expired.size(), 1u);
  EXPECT_EQ(expired[0].session_id, "s");
  EXPECT_EQ(expired[0].key, kKey);
  EXPECT_EQ(sessions.Find("s"), nullptr);
}

TEST(SessionTableTest, ATouchGivesAFullTtl) {
  SessionTable sessions;
  sessions.Open("s", kKey, absl::Seconds(10), kStart);
  EXPECT_EQ(*sessions.Touch("s", kStart + absl::Seconds(9)), absl::Seconds(10));
  EXPECT_TRUE(sessions.TakeExpired(kStart + absl::Seconds(18)).empty());
  EXPECT_EQ(sessions.TakeExpired(kStart + absl::Seconds(19)).size(), 1u);
}

TEST(SessionTableTest, WithoutATtlItLivesForEver) {
  SessionTable sessions;
  sessions.Open("s", kKey, absl::Seconds(10), kStart);
  sessions.Open("s", kKey, std::nullopt, kStart);
  EXPECT_EQ(*sessions.Touch("s", kStart), absl::InfiniteDuration());
  EXPECT_TRUE(sessions.TakeExpired(absl::InfiniteFuture()).empty());
}

TEST(SessionTableTest, AfterAStandstillEverySessionHasAFullTtl) {
  SessionTable sessions;
  sessions.Open("s", kKey, absl::Seconds(10), kStart);
  sessions.Open("long", {"t", "b", ""}, absl::Seconds(20), kStart);
  sessions.Open("ever", {"t", "c", ""}, std::nullopt, kStart);
  const absl::Time end = kStart + absl::Hours(1);
  EXPECT_TRUE(sessions.TakeExpired(end, end).empty());
  EXPECT_EQ(sessions.NextCheck(), end + absl::Seconds(10));
  EXPECT_TRUE(sessions.TakeExpired(end + absl::Seconds(9), end).empty());
  EXPECT_EQ(sessions.TakeExpired(end + absl::Seconds(10), end).size(), 1u);
  EXPECT_EQ(sessions.TakeExpired(absl::InfiniteFuture(), end).size(), 1u);
}

TEST(SessionTableTest, AStandstillGivesNothingToASessionThatBeganAfterIt) {
  SessionTable sessions;
  sessions.Open("s", kKey, absl::Seconds(10), kStart);
  const absl::Time before = kStart - absl::Seconds(1);
  EXPECT_TRUE(
      sessions.TakeExpired(kStart + absl::Seconds(9.9), before).empty());
  EXPECT_EQ(sessions.TakeExpired(kStart + absl::Seconds(10), before).size(),
            1u);
}

TEST(SessionTableTest, LooksAtNoMoreSessionsThanItMay) {
  SessionTable sessions;
  for (const char* id : {"1", "2", "3"}) {
    sessions.Open(id, kKey, absl::Seconds(10), kStart);
  }
  const absl::Time end = kStart + absl::Seconds(10);
  EXPECT_EQ(sessions.TakeExpired(end, absl::InfinitePast(), 2).size(), 2u);
  EXPECT_EQ(sessions.NextCheck(), end);
  EXPECT_EQ(sessions.TakeExpired(end, absl::InfinitePast(), 2).size(), 1u);
}

TEST(SessionTableTest, AResumedSessionDoesNotExpireBeforeItIsStarted) {
  SessionTable sessions;
  sessions.Resume("s", kKey, absl::Seconds(10));
  EXPECT_TRUE(sessions.TakeExpired(kStart, kStart).empty());
  EXPECT_EQ(sessions.NextCheck(), absl::InfiniteFuture());
  EXPECT_TRUE(sessions.TakeExpired(absl::InfiniteFuture()).empty());
  EXPECT_NE(sessions.Find("s"), nullptr);
}

TEST(SessionTableTest, AResumedSessionLivesForTheGraceAndForItsTtl) {
  SessionTable sessions;
  sessions.Resume("short", kKey, absl::Seconds(10));
  sessions.Resume("long", {"t", "b", ""}, absl::Seconds(60));
  sessions.Resume("ever", {"t", "c", ""}, std::nullopt);
  sessions.StartResumed(absl::Seconds(45), kStart);
  EXPECT_TRUE(sessions.TakeExpired(kStart + absl::Seconds(44)).empty());
  EXPECT_EQ(sessions.TakeExpired(kStart + absl::Seconds(45)).size(), 1u);
  EXPECT_TRUE(sessions.TakeExpired(kStart + absl::Seconds(59)).empty());
  EXPECT_EQ(sessions.TakeExpired(kStart + absl::Seconds(60)).size(), 1u);
  EXPECT_TRUE(sessions.TakeExpired(absl::InfiniteFuture()).empty());
}

TEST(SessionTableTest, AResumedSessionThatIsHeardFromLivesForItsTtl) {
  SessionTable sessions;
  sessions.Resume("early", kKey, absl::Seconds(10));
  sessions.Resume("late", {"t", "b", ""}, absl::Seconds(10));
  EXPECT_TRUE(sessions.Touch("early", kStart).ok());
  sessions.StartResumed(absl::Seconds(45), kStart);
  EXPECT_TRUE(sessions.Touch("late", kStart + absl::Seconds(1)).ok());
  EXPECT_EQ(sessions.TakeExpired(kStart + absl::Seconds(10)).size(), 1u);
  EXPECT_EQ(sessions.TakeExpired(kStart + absl::Seconds(11)).size(), 1u);
}

TEST(SessionTableTest, AStandstillTakesNothingFromAResumedSession) {
  SessionTable sessions;
  sessions.Resume("s", kKey, absl::Seconds(10));
  sessions.StartResumed(absl::Seconds(45), kStart);
  const absl::Time end = kStart + absl::Seconds(1);
  EXPECT_TRUE(sessions.TakeExpired(kStart + absl::Seconds(44), end).empty());
  EXPECT_EQ(sessions.TakeExpired(kStart + absl::Seconds(45), end).size(), 1u);
}

TEST(SessionTableTest, ResumedSessionsAreStartedAFewAtATime) {
  SessionTable sessions;
  for (const char* id : {"1", "2", "3"}) {
    sessions.Resume(id, kKey, absl::Seconds(10));
  }
  EXPECT_TRUE(sessions.StartResumed(absl::ZeroDuration(), kStart, 2));
  EXPECT_FALSE(sessions.StartResumed(absl::ZeroDuration(), kStart, 2));
  EXPECT_EQ(sessions.TakeExpired(kStart + absl::Seconds(10)).size(), 3u);
}

TEST(SessionTableTest, TellsWhyASessionIsClosed) {
  SessionTable sessions;
  sessions.Open("old", kKey, std::nullopt, kStart);
  sessions.Supersede("old");
  sessions.Open("over", kKey, std::nullopt, kStart);
  sessions.Close("over");
  EXPECT_TRUE(HasReason(sessions.Touch("old", kStart).status(),
                        Reason::kSessionSuperseded));
  EXPECT_TRUE(HasReason(sessions.Touch("over", kStart).status(),
                        Reason::kLeaseExpired));
  EXPECT_TRUE(HasReason(sessions.Touch("never", kStart).status(),
                        Reason::kLeaseExpired));
}

TEST(SessionTableTest, RemembersOnlySoManySupersededSessions) {
  SessionTable sessions(2);
  for (const char* id : {"1", "2", "3"}) sessions.Supersede(id);
  EXPECT_TRUE(HasReason(sessions.WhyClosed("1"), Reason::kLeaseExpired));
  EXPECT_TRUE(HasReason(sessions.WhyClosed("2"), Reason::kSessionSuperseded));
  EXPECT_TRUE(HasReason(sessions.WhyClosed("3"), Reason::kSessionSuperseded));
}

}  // namespace
}  // namespace coord
