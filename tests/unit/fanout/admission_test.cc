#include "server/fanout/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "common/error.h"

namespace coord {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class AdmissionTest : public testing::Test {
 protected:
  // Lets `name` wait until it is in `admitted_`.
  std::optional<Admission::Ticket> Wait(const std::string& name,
                                        int node_calls) {
    return admission_.Wait(node_calls,
                           [this, name] { admitted_.push_back(name); });
  }
  void End(int node_calls) {
    admission_.GiveNodeCalls(node_calls);
    admission_.GiveCall();
  }

  Admission admission_{{.calls = 2, .node_calls = 10, .waiting = 3}};
  std::vector<std::string> admitted_;
};

TEST_F(AdmissionTest, TakesAllThatACallNeedsOrNothing) {
  EXPECT_TRUE(admission_.TryEnter(7));
  EXPECT_FALSE(admission_.TryEnter(4));
  EXPECT_EQ(admission_.calls(), 1);
  EXPECT_EQ(admission_.node_calls(), 7);
  EXPECT_TRUE(admission_.TryEnter(3));
  EXPECT_FALSE(admission_.TryEnter(0)) << "two calls are the limit";
  admission_.GiveNodeCalls(10);
  EXPECT_EQ(admission_.calls(), 2);
  EXPECT_EQ(admission_.node_calls(), 0);
}

TEST_F(AdmissionTest, AdmitsInTheOrderOfArrival) {
  ASSERT_TRUE(admission_.TryEnter(1));
  ASSERT_TRUE(admission_.TryEnter(1));
  Wait("a", 1);
  Wait("b", 1);
  EXPECT_THAT(admitted_, IsEmpty());
  EXPECT_EQ(admission_.waiting(), 2);
  End(1);
  EXPECT_THAT(admitted_, ElementsAre("a"));
  End(1);
  EXPECT_THAT(admitted_, ElementsAre("a", "b"));
  EXPECT_EQ(admission_.waiting(), 0);
  EXPECT_EQ(admission_.calls(), 2);
}

TEST_F(AdmissionTest, OnceClosedWhoWaitsIsNotAdmitted) {
  ASSERT_TRUE(admission_.TryEnter(1));
  ASSERT_TRUE(admission_.TryEnter(1));
  const auto ticket = Wait("a", 1);
  admission_.Close();
  End(1);
  Wait("b", 1);
  EXPECT_THAT(admitted_, IsEmpty());
  EXPECT_TRUE(admission_.Leave(*ticket));
}

TEST_F(AdmissionTest, WhoCouldEnterByNowDoesNotWait) {
  Wait("a", 1);
  EXPECT_THAT(admitted_, ElementsAre("a"));
}

TEST_F(AdmissionTest, ALargeCallIsNotOvertakenBySmallOnes) {
  ASSERT_TRUE(admission_.TryEnter(6));
  Wait("large", 10);
  EXPECT_FALSE(admission_.TryEnter(1));
  Wait("small", 1);
  EXPECT_THAT(admitted_, IsEmpty());
  admission_.GiveNodeCalls(5);
  EXPECT_THAT(admitted_, IsEmpty());
  End(1);
  EXPECT_THAT(admitted_, ElementsAre("large"));
  admission_.GiveNodeCalls(1);
  EXPECT_THAT(admitted_, ElementsAre("large", "small"));
}

TEST_F(AdmissionTest, ALargeCallThatLeavesMakesWayForSmallOnes) {
  ASSERT_TRUE(admission_.TryEnter(6));
  const auto large = Wait("large", 10);
  Wait("small", 1);
  ASSERT_TRUE(large);
  EXPECT_TRUE(admission_.Leave(*large));
  EXPECT_THAT(admitted_, ElementsAre("small"));
  EXPECT_FALSE(admission_.Leave(*large));
}

TEST_F(AdmissionTest, WhoWasAdmittedCannotLeave) {
  const auto ticket = Wait("a", 1);
  ASSERT_TRUE(ticket);
  EXPECT_FALSE(admission_.Leave(*ticket));
  EXPECT_EQ(admission_.calls(), 1);
}

TEST_F(AdmissionTest, SoManyWaitAndNoMore) {
  ASSERT_TRUE(admission_.TryEnter(10));
  EXPECT_FALSE(admission_.Full());
  for (const char* name : {"a", "b", "c"}) EXPECT_TRUE(Wait(name, 1));
  EXPECT_TRUE(admission_.Full());
  EXPECT_FALSE(Wait("d", 1));
  End(10);
  EXPECT_THAT(admitted_, ElementsAre("a", "b"));
  EXPECT_FALSE(admission_.Full());
}

TEST_F(AdmissionTest, WithoutAQueueItIsFullAtEitherLimit) {
  Admission admission({.calls = 2, .node_calls = 10});
  EXPECT_FALSE(admission.Full());
  ASSERT_TRUE(admission.TryEnter(10));
  EXPECT_TRUE(admission.Full());
  admission.GiveNodeCalls(10);
  EXPECT_FALSE(admission.Full());
  ASSERT_TRUE(admission.TryEnter(0));
  EXPECT_TRUE(admission.Full());
}

TEST_F(AdmissionTest, ARefusalNamesTheLimitInTheWay) {
  ASSERT_TRUE(admission_.TryEnter(10));
  absl::Status refusal = admission_.Refusal(absl::ZeroDuration());
  EXPECT_EQ(refusal.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(HasReason(refusal, Reason::kTooManyNodeCalls));
  EXPECT_EQ(refusal.message(),
            "call cluster: node calls in flight are at their limit of 10");
  EXPECT_EQ(DetailOf(refusal).retry_after, absl::Milliseconds(100));
  ASSERT_TRUE(admission_.TryEnter(0));
  refusal = admission_.Refusal(absl::Microseconds(20'500));
  EXPECT_TRUE(HasReason(refusal, Reason::kTooManyCalls));
  EXPECT_EQ(refusal.message(),
            "call cluster: calls in flight are at their limit of 2, and were "
            "for 20ms");
}

TEST(AdmissionThreadsTest, EveryCallIsAdmittedAndNeverTooMany) {
  constexpr int kThreads = 4;
  constexpr int kCalls = 5'000;
  Admission admission({.calls = 3, .node_calls = 5, .waiting = kThreads});
  std::atomic<int> held = 0;
  std::atomic<bool> exceeded = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const int size = 1 + t % 3;
      for (int i = 0; i < kCalls; ++i) {
        if (!admission.TryEnter(size)) {
          absl::BlockingCounter admitted(1);
          admission.Wait(size, [&] { admitted.DecrementCount(); });
          admitted.Wait();
        }
        if (held.fetch_add(size) + size > 5) exceeded = true;
        held.fetch_sub(size);
        admission.GiveNodeCalls(size);
        admission.GiveCall();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(exceeded);
  EXPECT_EQ(admission.calls(), 0);
  EXPECT_EQ(admission.node_calls(), 0);
  EXPECT_EQ(admission.waiting(), 0);
}

}  // namespace
}  // namespace coord
