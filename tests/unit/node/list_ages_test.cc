#include "server/node/list_ages.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "common/error.h"
#include "tests/unit/node/node_fixture.h"

namespace coord {
namespace {

// A list that was fetched when `a` was registered. Nothing is renewed by itself
// within the time of a test.
class ListAgesTest : public NodeFixture {
 protected:
  static constexpr absl::Duration kMaxAge = absl::Seconds(60);

  ListAgesTest() {
    RegistrarOptions options;
    options.max_renewal_interval = absl::Hours(24);
    registry_.lease = absl::Hours(24);
    Restart(options);
    AddStranger("peer", /*node_api=*/false);
    Registered(Command("a"));
    ages_ = std::make_unique<ListAges>(loop_, *registrar_, *doubt_, kMaxAge);
    asked_ = registry_.register_calls;
  }

  Knowledge Judge() {
    const Knowledge knowledge =
        ages_->Judge(**membership_->Snapshot("", "c-mTest"));
    Settle();
    return knowledge;
  }
  // Requests to the authority since the last look.
  int Asked() {
    return registry_.register_calls -
           std::exchange(asked_, registry_.register_calls);
  }

  std::unique_ptr<ListAges> ages_;
  int asked_ = 0;
};

TEST_F(ListAgesTest, AListThatIsYoungEnoughIsNotFetched) {
  Advance(kMaxAge);
  const Knowledge knowledge = Judge();
  EXPECT_EQ(knowledge.age, kMaxAge);
  EXPECT_FALSE(knowledge.stale);
  EXPECT_FALSE(knowledge.self_preservation);
  EXPECT_EQ(Asked(), 0);
}

TEST_F(ListAgesTest, AnOlderOneIsFetchedBesideTheAnswer) {
  Advance(kMaxAge + absl::Seconds(1));
  const Knowledge knowledge = Judge();
  EXPECT_EQ(knowledge.age, absl::Seconds(61));
  EXPECT_TRUE(knowledge.stale);
  EXPECT_EQ(Asked(), 1);
  EXPECT_EQ(Judge().age, absl::ZeroDuration());
  EXPECT_EQ(Asked(), 0);
}

TEST_F(ListAgesTest, HoweverManyAskItIsFetchedOnce) {
  registry_.automatic = false;
  Advance(kMaxAge + absl::Seconds(1));
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(Judge().stale);
  EXPECT_EQ(Asked(), 1);
}

TEST_F(ListAgesTest, AnAuthorityThatFailsIsNotAskedByEveryCall) {
  Advance(kMaxAge + absl::Seconds(1));
  registry_.automatic = false;
  Judge();
  EXPECT_EQ(Asked(), 1);
  registry_.FailRegister(
      MakeError(Reason::kAuthorityUnavailable, "register: no answer"));
  Settle();
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(Judge().stale);
  EXPECT_EQ(Asked(), 0);
}

TEST_F(ListAgesTest, AClusterOfWhichNobodyIsHeldHasNoAge) {
  Unregister(Ref("a"));
  Asked();
  const Knowledge knowledge = Judge();
  EXPECT_EQ(knowledge.age, absl::InfiniteDuration());
  EXPECT_TRUE(knowledge.stale);
  EXPECT_EQ(Asked(), 0);
}

// It may be held by another process by now, whose record a renewal would take
// over.
TEST_F(ListAgesTest, NobodyWhoFellSilentIsRenewedForIt) {
  Registered(Command("b", absl::Minutes(10)));
  Unregister(Ref("a"));
  Asked();
  Advance(absl::Minutes(5));
  EXPECT_TRUE(Judge().stale);
  EXPECT_EQ(Asked(), 1);
  Advance(kMaxAge + absl::Seconds(1));
  EXPECT_TRUE(Judge().stale);
  EXPECT_EQ(Asked(), 0);
}

TEST_F(ListAgesTest, AProcessThatSuspectsItselfSaysSo) {
  for (const char* id : {"x", "y", "z"}) {
    AddStranger(id);
  }
  Registered(Command("b"));
  for (const char* id : {"x", "y", "z"}) {
    doubt_->Failed(Key(id), /*held=*/false, "made to fail");
  }
  ASSERT_TRUE(doubt_->active());
  EXPECT_TRUE(Judge().self_preservation);
}

}  // namespace
}  // namespace coord
