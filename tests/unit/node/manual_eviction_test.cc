// Evictions that people ask for, and what becomes of the servers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "common/error.h"
#include "tests/support/log_capture.h"
#include "tests/unit/node/evictor_fixture.h"

namespace coord {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// `other` and `peer` are held by others.
class ManualEvictionTest : public EvictorFixture {
 protected:
  ManualEvictionTest() {
    AddStranger("other");
    AddStranger("peer");
    Start();
  }

  // Lets the eviction begin; `answer_` follows.
  void Ask(const std::string& id, const std::string& etag,
           absl::Duration wait = absl::Seconds(10)) {
    answer_.reset();
    EvictCommand command;
    command.type = "mTest";
    command.server_id = id;
    command.seen = {etag};
    command.wait = wait;
    command.caller = {"ipv4:192.0.2.7:40123", "abc@1/D", "ctl 1.0"};
    evictor_->Evict(std::move(command),
                    [this](auto answer) { answer_ = std::move(answer); });
    Settle();
  }
  absl::Status StatusOf(const std::string& id, const std::string& etag) {
    Ask(id, etag, absl::ZeroDuration());
    EXPECT_TRUE(answer_.has_value());
    return answer_ ? answer_->status() : absl::OkStatus();
  }
  void AskForOwn(absl::Duration wait = absl::Seconds(10)) {
    Ask("own", Member("own")->version.text, wait);
    AnswerLeaves("own");
  }
  void AskForOther() {
    Ask("other", "stranger-other");
    AnswerLeaves("other");
  }
  // The rest of the cluster is told; what is left after that are probes.
  void AnswerLeaves(const std::string& id) {
    Advance(absl::ZeroDuration());
    for (std::size_t i = 0; i < Requests();) {
      if (Sent(i).ends_with("/servers/" + id)) {
        transport_.Answer(200, "{}", i);
        Settle();
      } else {
        ++i;
      }
    }
  }

  Aftermath::Kind Kind() const { return (**answer_).aftermath.kind; }
  bool Answered() const { return answer_.has_value() && answer_->ok(); }

  std::optional<absl::StatusOr<EvictAnswer>> answer_;
};

TEST_F(ManualEvictionTest, TakesTheEtagThatWasSeen) {
  Ask("other", "stranger-other", absl::ZeroDuration());
  ASSERT_TRUE(Answered());
  EXPECT_EQ((**answer_).removed->server_id, "other");
  EXPECT_EQ(Member("other"), nullptr);
  EXPECT_EQ(Sent(),
            "DELETE http://peer.test/x/itResources/c-mTest/servers/other");
  EXPECT_THAT(observer_.causes, ElementsAre(EvictionCause::kManual));
  EXPECT_EQ(observer_.suspected, 0);
}

TEST_F(ManualEvictionTest, AnotherEtagIsAMismatch) {
  EXPECT_TRUE(HasReason(StatusOf("other", "older"), Reason::kEtagMismatch));
  EXPECT_TRUE(HasReason(StatusOf("other", ""), Reason::kInvalidField));
  EXPECT_TRUE(HasReason(StatusOf("nobody", "v1"), Reason::kServerNotFound));
  EXPECT_NE(Member("other"), nullptr);
  EXPECT_THAT(observer_.causes, IsEmpty());
}

TEST_F(ManualEvictionTest, ANewerRecordAtTheAuthorityIsAMismatch) {
  registry_.automatic = false;
  Ask("other", "stranger-other");
  registry_.AnswerRemoval(NewerRecord{*Member("other")});
  Settle();
  ASSERT_TRUE(answer_.has_value());
  EXPECT_TRUE(HasReason(answer_->status(), Reason::kEtagMismatch));
  EXPECT_THAT(observer_.causes, IsEmpty());
}

TEST_F(ManualEvictionTest, OneThatIsRegisteredHereAndLivesCameBack) {
  const std::string before = Member("own")->version.text;
  AskForOwn();
  EXPECT_FALSE(answer_.has_value());
  while (Requests() > 0) AnswerAlive();
  Advance(absl::Milliseconds(50));
  ASSERT_TRUE(Answered());
  EXPECT_EQ(Kind(), Aftermath::Kind::kReturned);
  EXPECT_TRUE((**answer_).held);
  EXPECT_EQ((**answer_).removed->version.text, before);
  EXPECT_NE((**answer_).aftermath.returned->version.text, before);
  EXPECT_EQ((**answer_).Explain(),
            "it is registered here (answered 200) and came back; to keep it "
            "out, drain it, unregister it or stop it");
  EXPECT_THAT(observer_.causes, ElementsAre(EvictionCause::kManual));
}

TEST_F(ManualEvictionTest, OneThatIsRegisteredHereAndDeadIsGone) {
  AskForOwn();
  while (Requests() > 0) AnswerDead();
  ASSERT_TRUE(Answered());
  EXPECT_EQ(Kind(), Aftermath::Kind::kGone);
  EXPECT_EQ((**answer_).Explain(),
            "it does not answer a probe (made to fail); it is registered here "
            "and comes back if it answers again");
  EXPECT_EQ(Get("own")->StatusText(),
            "orphan: evicted by hand, and the service does not answer: made to "
            "fail");
  EXPECT_THAT(observer_.causes, ElementsAre(EvictionCause::kManual));
}

TEST_F(ManualEvictionTest,
       OneThatIsHeldElsewhereAndLivesGetsTwoSecondsToReturn) {
  AskForOther();
  ASSERT_EQ(Requests(), 1u);
  EXPECT_EQ(Sent(), "DELETE http://other.test/x/itResources/-/servers/-");
  AnswerAlive();
  Advance(absl::Milliseconds(1999));
  EXPECT_FALSE(answer_.has_value());
  Advance(absl::Milliseconds(1));
  ASSERT_TRUE(Answered());
  EXPECT_EQ(Kind(), Aftermath::Kind::kAlive);
  EXPECT_FALSE((**answer_).held);
  EXPECT_EQ((**answer_).Explain(),
            "it answers (answered 200), so it is going to be registered again; "
            "to keep it out, drain or unregister it where it is registered, or "
            "stop it");
}

TEST_F(ManualEvictionTest, OneThatIsHeldElsewhereIsSeenToReturn) {
  AskForOther();
  AnswerAlive();
  Server back = ServerOf("other");
  back.version = {"again"};
  membership_->Apply({"c-mTest", "mTest", ""},
                     {ChangeType::kJoined, std::make_shared<Server>(back)},
                     loop_.WallTime());
  Advance(absl::Milliseconds(50));
  ASSERT_TRUE(Answered());
  EXPECT_EQ(Kind(), Aftermath::Kind::kReturned);
  EXPECT_EQ((**answer_).aftermath.returned->version.text, "again");
}

TEST_F(ManualEvictionTest, OneThatIsHeldElsewhereAndDeadIsGone) {
  AskForOther();
  AnswerDead();
  ASSERT_TRUE(Answered());
  EXPECT_EQ(Kind(), Aftermath::Kind::kGone);
  EXPECT_EQ((**answer_).Explain(), "it does not answer a probe (made to fail)");
}

TEST_F(ManualEvictionTest, WithoutAnAnswerInTimeNothingIsClaimed) {
  AskForOwn(absl::Seconds(3));
  Advance(absl::Seconds(3));
  ASSERT_TRUE(Answered());
  EXPECT_EQ(Kind(), Aftermath::Kind::kUnknown);
  EXPECT_EQ((**answer_).Explain(),
            "whether it lives is not known yet; it is registered here and "
            "comes back if it does");
}

TEST_F(ManualEvictionTest, IsLoggedWithWhoAsked) {
  LogCapture log;
  Ask("other", "stranger-other", absl::ZeroDuration());
  EXPECT_THAT(log.Lines("evicted"),
              ElementsAre("info: evicted by hand type=mTest server_id=other "
                          "cluster_id=c-mTest etag=stranger-other "
                          "peer=ipv4:192.0.2.7:40123 correlation_id=abc@1/D "
                          "user_agent=\"ctl 1.0\""));
}

TEST_F(ManualEvictionTest, AStopAnswersWithWhatIsKnown) {
  AskForOther();
  EXPECT_FALSE(answer_.has_value());
  evictor_->Stop();
  Settle();
  ASSERT_TRUE(Answered());
  EXPECT_EQ(Kind(), Aftermath::Kind::kUnknown);
  // Nobody waits after it.
  Ask("peer", "stranger-peer");
  ASSERT_TRUE(Answered());
  EXPECT_EQ(Kind(), Aftermath::Kind::kUnknown);
}

}  // namespace
}  // namespace coord
