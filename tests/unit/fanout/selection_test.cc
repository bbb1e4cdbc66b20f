// Whom a call is for, and how many of them there must be.
#include <string>
#include <vector>

#include "tests/unit/fanout/fan_out_fixture.h"

namespace coord {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SelectionTest : public FanOutTest {
 protected:
  SelectionTest() { SetMembers(3); }

  static FanOutCall CallTo(std::vector<std::string> server_ids) {
    FanOutCall call = Call();
    call.selection = Selection{std::move(server_ids)};
    return call;
  }

  // What a call is refused with that has sent nothing.
  absl::Status RefusalOf(const FanOutCall& call) {
    auto sink = Start(call);
    EXPECT_THAT(transport_.requests, IsEmpty());
    return sink->refusal.value_or(absl::OkStatus());
  }
};

TEST_F(SelectionTest, OnlyThoseThatAreChosenAreCalled) {
  auto sink = Start(CallTo({"n2", "ghost"}));
  EXPECT_EQ(transport_.requests.size(), 1u);
  Answer("n2");
  ASSERT_TRUE(sink->answer.has_value());
  EXPECT_EQ(sink->answer->summary.expected, 2);
  EXPECT_THAT(OutcomeOf(*sink, "ghost"),
              FailedWith(FailureReason::kNotMember, Certainty::kNotSent));
}

TEST_F(SelectionTest, AnEmptyChoiceIsNobody) {
  auto sink = Start(CallTo({}));
  EXPECT_THAT(transport_.requests, IsEmpty());
  ASSERT_TRUE(sink->answer.has_value());
  EXPECT_EQ(sink->answer->summary.expected, 0);
  EXPECT_EQ(sink->answer->summary.verdict, Verdict::kComplete);
  EXPECT_EQ(sink->answer->data_json, "[]");
}

TEST_F(SelectionTest, NoChoiceIsAll) {
  Start(Call());
  EXPECT_EQ(transport_.requests.size(), 3u);
}

TEST_F(SelectionTest, OneOfTheTwoWaysToChooseIsEnough) {
  FanOutCall call = CallTo({});
  call.server_ids = {"n0"};
  EXPECT_EQ(ViolatedField(*Start(call)), "selection");
}

TEST_F(SelectionTest, WhatIsWrongIsNamed) {
  EXPECT_EQ(ViolatedField(*Start(CallTo({"ok", ""}))),
            "selection.server_ids[1]");
  EXPECT_EQ(
      ViolatedField(*Start(CallTo(std::vector<std::string>(16'385, "x")))),
      "selection.server_ids");
  FanOutCall call = Call();
  call.min_expected = -1;
  EXPECT_EQ(ViolatedField(*Start(call)), "min_expected");
}

TEST_F(SelectionTest, TooFewServersAreNotCalledAtAll) {
  FanOutCall call = Call();
  call.origin_server_id = "n0";
  call.min_expected = 3;
  const absl::Status refusal = RefusalOf(call);
  EXPECT_TRUE(HasReason(refusal, Reason::kTooFewServers)) << refusal;
  EXPECT_EQ(refusal.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refusal.message()),
              HasSubstr("call cluster cluster-1: 2 servers are expected, but "
                        "the call wants at least 3"));
  using Entry = std::pair<std::string, std::string>;
  EXPECT_THAT(DetailOf(refusal).metadata,
              ElementsAre(Entry("expected", "2"), Entry("min_expected", "3")));
  EXPECT_EQ(engine().calls_in_flight(), 0);

  call.min_expected = 2;
  Start(call);
  EXPECT_EQ(transport_.requests.size(), 2u);
}

TEST_F(SelectionTest, AnEmptiedClusterIsTooFew) {
  SetMembers(0);
  FanOutCall call = Call();
  call.policy = {CompletionPolicy::Kind::kAll};
  call.min_expected = 1;
  EXPECT_TRUE(HasReason(RefusalOf(call), Reason::kTooFewServers));
  EXPECT_TRUE(HasReason(RefusalOf([] {
                          FanOutCall none = CallTo({});
                          none.min_expected = 1;
                          return none;
                        }()),
                        Reason::kTooFewServers));
}

}  // namespace
}  // namespace coord
