// Calls whose answers are more than they may hold.
#include <set>
#include <string>

#include "tests/unit/fanout/fan_out_fixture.h"

namespace coord {
namespace {

class HeldUpTest : public FanOutTest {
 protected:
  // A stream whose outcomes, 1 MiB each, wait for a reader.
  std::shared_ptr<RecordingSink> StartStalled(FanOutCall call) {
    auto sink = std::make_shared<RecordingSink>();
    sink->unread_each = 1 << 20;
    handle_ = engine().Start(std::move(call), Delivery::kStreamed, sink);
    loop_.RunPosted();
    return sink;
  }

  void Take(std::size_t bytes) {
    handle_->Taken(bytes);
    loop_.RunPosted();
  }

  // Whether the answer of `server_id` may grow by `bytes`.
  bool Grow(const std::string& server_id, std::size_t bytes) {
    const HttpRequest& request = transport_.requests[At(server_id)].request;
    const bool may = request.room->MayGrow(request.room_key, bytes);
    loop_.RunPosted();
    return may;
  }

  static std::set<std::string> Ids(const std::vector<NodeOutcome>& outcomes) {
    std::set<std::string> ids;
    for (const NodeOutcome& outcome : outcomes) ids.insert(outcome.server_id);
    return ids;
  }
};

TEST_F(HeldUpTest, NothingIsSentWhileAStreamHoldsItsLimit) {
  SetMembers(200);
  FanOutCall call = Call();
  call.max_concurrency = 1;
  call.time_left = absl::Seconds(20);
  auto sink = StartStalled(call);
  while (!transport_.requests.empty()) {
    Answer(transport_.requests[0].request.origin.host);
  }
  EXPECT_EQ(sink->streamed.size(), 3u);

  Take(1 << 20);
  ASSERT_EQ(transport_.requests.size(), 1u);
  Answer(transport_.requests[0].request.origin.host);
  EXPECT_EQ(sink->streamed.size(), 4u);
  EXPECT_TRUE(transport_.requests.empty());

  loop_.Advance(absl::Seconds(20));
  ASSERT_TRUE(sink->answer.has_value());
  EXPECT_EQ(sink->streamed.size(), 200u);
  EXPECT_EQ(Ids(sink->streamed).size(), 200u);
  EXPECT_EQ(sink->answer->summary.results, 4);
  EXPECT_EQ(sink->answer->summary.failures, 196);
  for (std::size_t i = 4; i < 200; ++i) {
    EXPECT_THAT(sink->streamed[i],
                FailedWith(FailureReason::kTimeout, Certainty::kNotSent));
    EXPECT_THAT(sink->streamed[i].message,
                testing::HasSubstr("the call's deadline came before its turn"));
  }
  EXPECT_TRUE(suspicions_.suspects.empty());
}

TEST_F(HeldUpTest, AReaderThatReadsIsNeverWaitedFor) {
  SetMembers(200);
  FanOutCall call = Call();
  call.max_concurrency = 2;
  auto sink = StartStalled(call);
  while (!transport_.requests.empty()) {
    Answer(transport_.requests[0].request.origin.host);
    Take(1 << 20);
  }
  ASSERT_TRUE(sink->answer.has_value());
  EXPECT_EQ(sink->answer->summary.results, 200);
}

TEST_F(HeldUpTest, AnswersThatAreHeldUpGoOnOnceTheReaderHasReadTheOthers) {
  SetMembers(3);
  auto sink = StartStalled(Call());
  EXPECT_TRUE(Grow("n0", 2 << 20));
  EXPECT_TRUE(Grow("n1", 2 << 20));  // beyond the limit, as the only one
  EXPECT_FALSE(Grow("n2", 2 << 20));
  Answer("n1");
  EXPECT_TRUE(transport_.went_on.empty());  // its outcome waits for the reader
  const RequestId n2 = transport_.requests[At("n2")].id;
  Take(1 << 20);
  EXPECT_THAT(transport_.went_on, testing::Contains(n2));
  Answer("n2");
  EXPECT_TRUE(IsResult(OutcomeOf(*sink, "n2")));
}

TEST_F(HeldUpTest, WhatFoundNoRoomBeforeTheDeadlineIsToldAndNotSuspected) {
  SetMembers(2);
  FanOutCall call = Call();
  call.time_left = absl::Seconds(30);
  call.retry.max_attempts = 1;
  auto sink = StartStalled(call);
  sink->unread_each = 3 << 20;
  Answer("n0");
  EXPECT_FALSE(Grow("n1", 1));
  loop_.Advance(absl::Seconds(30));
  ASSERT_TRUE(sink->answer.has_value());
  const NodeOutcome& outcome = OutcomeOf(*sink, "n1");
  EXPECT_THAT(outcome,
              FailedWith(FailureReason::kTimeout, Certainty::kMaybeExecuted));
  EXPECT_EQ(outcome.message,
            "call n1: its answer found no room before the call's deadline");
  EXPECT_TRUE(suspicions_.suspects.empty());
}

TEST_F(HeldUpTest, AnAnswerThatGoesOnHasItsTimeAnew) {
  SetMembers(2);
  auto sink = StartStalled(Call());
  sink->unread_each = 3 << 20;
  Answer("n0");
  EXPECT_FALSE(Grow("n1", 1));
  loop_.Advance(absl::Seconds(12));
  Take(3 << 20);
  loop_.Advance(absl::Seconds(9));
  EXPECT_TRUE(Waits("n1"));
  loop_.Advance(absl::Seconds(1));
  EXPECT_EQ(transport_.cancelled, 1);
}

TEST_F(HeldUpTest, UnaryCallsHoldAnswersUpAsWell) {
  SetMembers(3);
  auto sink = Start(Call());
  EXPECT_TRUE(Grow("n0", 3 << 20));
  EXPECT_TRUE(Grow("n1", 3 << 20));
  EXPECT_FALSE(Grow("n2", 1 << 20));
  Answer("n0");
  EXPECT_TRUE(transport_.went_on.empty());
  Answer("n1");
  EXPECT_EQ(transport_.went_on.size(), 2u);  // n2's request, and no hedge
  Answer("n2");
  ASSERT_TRUE(sink->answer.has_value());
  EXPECT_EQ(sink->answer->summary.verdict, Verdict::kComplete);
}

TEST_F(HeldUpTest, FailuresOfAStreamThatIsFullAreToldInShort) {
  SetMembers(5);
  FanOutCall call = Call();
  call.max_concurrency = 1;
  call.time_left = absl::Seconds(5);
  auto sink = StartStalled(call);
  sink->unread_each = 3 << 20;
  Answer("n0");
  loop_.Advance(absl::Seconds(5));
  EXPECT_NE(OutcomeOf(*sink, "n0").cluster_base_url, "");
  EXPECT_EQ(OutcomeOf(*sink, "n4").cluster_base_url, "");
}

}  // namespace
}  // namespace coord
