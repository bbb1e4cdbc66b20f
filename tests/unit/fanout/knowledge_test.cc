// What an answer says of the membership that its call was made with.
#include <string>
#include <vector>

#include "tests/unit/fanout/fan_out_fixture.h"

namespace coord {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class KnowledgeTest : public FanOutTest {
 protected:
  KnowledgeTest() { SetMembers(1); }

  FanOutSummary SummaryOf(const FanOutCall& call) {
    auto sink = Start(call);
    if (Waits("n0")) Answer("n0");
    EXPECT_TRUE(sink->answer.has_value());
    return sink->answer ? sink->answer->summary : FanOutSummary();
  }
};

TEST_F(KnowledgeTest, NothingIsSaidOfAMembershipThatIsAsItShouldBe) {
  const FanOutSummary summary = SummaryOf(Call());
  EXPECT_THAT(summary.warnings, IsEmpty());
  EXPECT_EQ(summary.membership_age, absl::ZeroDuration());
  EXPECT_THAT(knowledge_.judged, ElementsAre(kCluster));
}

TEST_F(KnowledgeTest, TheAnswerSaysHowOldItWasWhenTheCallBegan) {
  knowledge_.knowledge = {.age = absl::Seconds(61), .stale = true};
  auto sink = Start(Call());
  knowledge_.knowledge = {};
  loop_.Advance(absl::Seconds(1));
  Answer("n0");
  EXPECT_EQ(sink->answer->summary.membership_age, absl::Seconds(61));
  EXPECT_THAT(sink->answer->summary.warnings, ElementsAre(Warning::kStale));
}

TEST_F(KnowledgeTest, AStreamSaysItAtItsEnd) {
  knowledge_.knowledge = {.age = absl::Seconds(61), .stale = true};
  auto sink = Start(Call(), Delivery::kStreamed);
  Answer("n0");
  EXPECT_EQ(sink->answer->summary.membership_age, absl::Seconds(61));
  EXPECT_THAT(sink->answer->summary.warnings, ElementsAre(Warning::kStale));
}

TEST_F(KnowledgeTest, WarningsComeInTheirOrder) {
  SetMembers(0);
  knowledge_.knowledge = {.age = absl::InfiniteDuration(),
                          .stale = true,
                          .self_preservation = true};
  const FanOutSummary summary = SummaryOf(Call());
  EXPECT_THAT(summary.warnings, ElementsAre(Warning::kEmpty, Warning::kStale,
                                            Warning::kSelfPreservation));
  EXPECT_EQ(summary.verdict, Verdict::kComplete);
}

// What is emptied and what is alone look the same; only the caller knows which
// of the two will do.
TEST_F(KnowledgeTest, NobodyToCallIsToldWhateverThePolicy) {
  using Kind = CompletionPolicy::Kind;
  for (const Kind kind : {Kind::kBestEffort, Kind::kAll, Kind::kMajority}) {
    FanOutCall call = Call();
    call.policy = {kind};
    call.origin_server_id = "n0";
    const FanOutSummary summary = SummaryOf(call);
    EXPECT_EQ(summary.verdict, Verdict::kComplete);
    EXPECT_TRUE(summary.policy_met);
    EXPECT_EQ(summary.expected, 0);
    EXPECT_THAT(summary.warnings, ElementsAre(Warning::kEmpty));
  }
}

TEST_F(KnowledgeTest, ClustersThatAreDrainingHaveNobodyToCall) {
  Server draining = MakeServer("n0");
  draining.state = ServerState::kDraining;
  SetMembers({draining});
  const FanOutSummary summary = SummaryOf(Call());
  EXPECT_EQ(summary.expected, 1);
  EXPECT_EQ(summary.verdict, Verdict::kNone);
  EXPECT_THAT(summary.warnings, ElementsAre(Warning::kEmpty));
}

TEST_F(KnowledgeTest, AStrangerThatWasChosenIsSomebody) {
  FanOutCall call = Call();
  call.selection = Selection{{"ghost"}};
  EXPECT_THAT(SummaryOf(call).warnings, IsEmpty());
}

// It may be refused only because the list is old.
TEST_F(KnowledgeTest, ACallThatIsRefusedHasTheListLookedAtToo) {
  FanOutCall call = Call();
  call.min_expected = 2;
  EXPECT_TRUE(HasReason(*Start(call)->refusal, Reason::kTooFewServers));
  EXPECT_THAT(knowledge_.judged, ElementsAre(kCluster));
}

}  // namespace
}  // namespace coord
