#include "server/rpc/encode_fan_out.h"

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/random/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "mimik/cluster/v1/fan_out_service.pb.h"
#include "server/fanout/outcome_text.h"

namespace coord {
namespace {

namespace pb = mimik::cluster::v1;

std::string Bytes(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(buffer.Dump(&slices).ok());
  std::string bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

// The message; what was written must be byte for byte what protobuf writes.
template <typename Message>
Message Decode(const grpc::ByteBuffer& buffer) {
  Message message;
  const std::string bytes = Bytes(buffer);
  EXPECT_TRUE(message.ParseFromString(bytes));
  EXPECT_EQ(message.SerializeAsString(), bytes);
  return message;
}

// As the engine leaves it.
FanOutAnswer Cleaned(FanOutAnswer answer) {
  CleanText(answer.summary.cluster_id);
  for (NodeOutcome& outcome : answer.outcomes) CleanTexts(outcome);
  return answer;
}

NodeOutcome Outcome(NodeOutcome::Kind kind, std::string server_id) {
  NodeOutcome outcome;
  outcome.kind = kind;
  outcome.server_id = std::move(server_id);
  return outcome;
}

void ExpectExactSizes(const FanOutAnswer& answer, std::size_t encoded) {
  std::size_t size =
      WireFormat().SizeOf(answer.summary, answer.data_json.size());
  for (const NodeOutcome& outcome : answer.outcomes) {
    size += WireFormat().SizeOf(outcome);
    EXPECT_EQ(WireFormat().SizeOf(outcome), EncodeEvent(outcome).Length());
  }
  EXPECT_EQ(size, encoded);
}

TEST(EncodeAnswerTest, EveryOutcomeGoesIntoItsList) {
  FanOutAnswer answer;
  answer.summary.verdict = Verdict::kPartial;
  answer.summary.policy_met = false;
  answer.summary.cluster_id = "c1";
  answer.summary.revision = 9;
  answer.summary.expected = 3;
  answer.summary.elapsed = absl::Milliseconds(1'500);
  answer.data_json = "[1]";
  NodeOutcome result = Outcome(NodeOutcome::Kind::kResult, "node-1");
  result.cluster_base_url = "http://10.0.0.1:80/x";
  result.http_status = 200;
  result.headers = {{"x-a", "caf\xc3\xa9"}, {"x-b", ""}};
  result.body = std::string("\0\xff", 2);
  result.attempts = 2;
  result.elapsed = absl::Seconds(2);
  NodeOutcome failure = Outcome(NodeOutcome::Kind::kFailure, "node-2");
  failure.failure = FailureReason::kBadBody;
  failure.certainty = Certainty::kAnswered;
  failure.message = "call node-2: \xff";
  NodeOutcome skip = Outcome(NodeOutcome::Kind::kSkipped, "node-3");
  skip.skip = SkipReason::kPolicyMet;
  skip.certainty = Certainty::kMaybeExecuted;
  answer.outcomes = {skip, result, failure};

  const auto out =
      Decode<pb::FanOutResponse>(EncodeAnswer(Cleaned(std::move(answer))));
  EXPECT_EQ(out.verdict(), pb::VERDICT_PARTIAL);
  EXPECT_FALSE(out.policy_met());
  EXPECT_EQ(out.cluster_id(), "c1");
  EXPECT_EQ(out.revision(), 9);
  EXPECT_EQ(out.expected_count(), 3);
  EXPECT_EQ(out.data_json(), "[1]");
  EXPECT_EQ(out.elapsed().seconds(), 1);
  EXPECT_EQ(out.elapsed().nanos(), 500'000'000);
  ASSERT_EQ(out.results_size(), 1);
  EXPECT_EQ(out.results(0).server_id(), "node-1");
  EXPECT_EQ(out.results(0).cluster_base_url(), "http://10.0.0.1:80/x");
  EXPECT_EQ(out.results(0).http_status(), 200);
  ASSERT_EQ(out.results(0).headers_size(), 2);
  EXPECT_EQ(out.results(0).headers(0).name(), "x-a");
  EXPECT_EQ(out.results(0).headers(0).value(), "caf%C3%A9");
  EXPECT_EQ(out.results(0).headers(1).value(), "");
  EXPECT_EQ(out.results(0).body(), std::string("\0\xff", 2));
  EXPECT_EQ(out.results(0).attempts(), 2);
  EXPECT_EQ(out.results(0).elapsed().seconds(), 2);
  ASSERT_EQ(out.failures_size(), 1);
  EXPECT_EQ(out.failures(0).server_id(), "node-2");
  EXPECT_EQ(out.failures(0).reason(), pb::FAILURE_REASON_BAD_BODY);
  EXPECT_EQ(out.failures(0).certainty(), pb::CERTAINTY_ANSWERED);
  EXPECT_EQ(out.failures(0).message(), "call node-2: %FF");
  ASSERT_EQ(out.skipped_size(), 1);
  EXPECT_EQ(out.skipped(0).server_id(), "node-3");
  EXPECT_EQ(out.skipped(0).reason(), pb::SKIP_REASON_POLICY_MET);
  EXPECT_EQ(out.skipped(0).certainty(), pb::CERTAINTY_MAYBE_EXECUTED);
}

TEST(EncodeAnswerTest, TheSmallestAndTheLargestNumbersFit) {
  FanOutAnswer answer;
  answer.summary = {};
  answer.summary.revision = std::numeric_limits<std::int64_t>::max();
  answer.summary.expected = std::numeric_limits<int>::max();
  answer.summary.elapsed = absl::Hours(24 * 365);
  const auto out = Decode<pb::FanOutResponse>(EncodeAnswer(answer));
  EXPECT_EQ(out.revision(), answer.summary.revision);
  EXPECT_EQ(out.expected_count(), answer.summary.expected);
  EXPECT_EQ(out.elapsed().seconds(), 24 * 365 * 3600);

  const auto least = Decode<pb::FanOutResponse>(EncodeAnswer({}));
  EXPECT_TRUE(least.has_elapsed());
  EXPECT_EQ(least.verdict(), pb::VERDICT_COMPLETE);
}

TEST(EncodeAnswerTest, AnythingIsWrittenAsProtobufWritesIt) {
  absl::BitGen random;
  const auto text = [&random] {
    std::string bytes(absl::LogUniform<std::size_t>(random, 0, 40'000), '\0');
    for (char& c : bytes) c = static_cast<char>(absl::Uniform(random, 0, 256));
    return bytes;
  };
  for (int round = 0; round < 50; ++round) {
    FanOutAnswer answer;
    answer.data_json =
        std::string(absl::LogUniform<std::size_t>(random, 2, 40'000), '1');
    answer.summary.cluster_id = text();
    answer.summary.revision = absl::LogUniform<std::int64_t>(
        random, 0, std::numeric_limits<std::int64_t>::max());
    answer.summary.elapsed =
        absl::Nanoseconds(absl::LogUniform<std::int64_t>(random, 0, 1LL << 50));
    const int nodes = absl::Uniform(random, 0, 20);
    for (int i = 0; i < nodes; ++i) {
      NodeOutcome& outcome = answer.outcomes.emplace_back(Outcome(
          static_cast<NodeOutcome::Kind>(absl::Uniform(random, 0, 3)), text()));
      outcome.http_status = absl::Uniform(random, 0, 1000);
      outcome.attempts = absl::LogUniform(random, 0, 1 << 20);
      outcome.body = text();
      outcome.message = text();
      for (int h = absl::Uniform(random, 0, 4); h > 0; --h) {
        outcome.headers.push_back({text(), text()});
      }
    }
    answer = Cleaned(std::move(answer));
    const auto out = Decode<pb::FanOutResponse>(EncodeAnswer(answer));
    EXPECT_EQ(out.results_size() + out.failures_size() + out.skipped_size(),
              nodes);
    for (const NodeOutcome& outcome : answer.outcomes) {
      Decode<pb::StreamFanOutResponse>(EncodeEvent(outcome));
    }
    ExpectExactSizes(answer, out.ByteSizeLong());
  }
}

TEST(EncodeEventTest, OutcomesSayWhatTheyAre) {
  using Kind = NodeOutcome::Kind;
  using Event = pb::StreamFanOutResponse;
  const auto encode = [](Kind kind, std::string server_id) {
    return Decode<Event>(EncodeEvent(Outcome(kind, std::move(server_id))));
  };
  EXPECT_EQ(encode(Kind::kResult, "node-1").result().server_id(), "node-1");
  EXPECT_EQ(encode(Kind::kFailure, "node-2").failure().server_id(), "node-2");
  EXPECT_EQ(encode(Kind::kSkipped, "node-3").skip().server_id(), "node-3");
}

TEST(EncodeEventTest, TheEndCounts) {
  FanOutSummary summary;
  summary.cluster_id = "c1";
  summary.expected = 6;
  summary.results = 1;
  summary.failures = 2;
  summary.skipped = 3;
  const auto out = Decode<pb::StreamFanOutResponse>(EncodeEvent(summary));
  EXPECT_EQ(out.summary().cluster_id(), "c1");
  EXPECT_TRUE(out.summary().policy_met());
  EXPECT_EQ(out.summary().expected_count(), 6);
  EXPECT_EQ(out.summary().result_count(), 1);
  EXPECT_EQ(out.summary().failure_count(), 2);
  EXPECT_EQ(out.summary().skipped_count(), 3);
}

FanOutSummary OfAnOldMembership() {
  FanOutSummary summary;
  summary.warnings = {Warning::kEmpty, Warning::kStale,
                      Warning::kSelfPreservation};
  summary.membership_age = absl::Milliseconds(61'250);
  return summary;
}

template <typename Message>
void ExpectOldMembership(const Message& out) {
  EXPECT_THAT(out.warnings(),
              testing::ElementsAre(pb::WARNING_EMPTY, pb::WARNING_STALE,
                                   pb::WARNING_SELF_PRESERVATION));
  EXPECT_EQ(out.membership_age().seconds(), 61);
  EXPECT_EQ(out.membership_age().nanos(), 250'000'000);
}

TEST(EncodeAnswerTest, TellsWhatItsMembershipIsWorth) {
  FanOutAnswer answer;
  answer.summary = OfAnOldMembership();
  ExpectOldMembership(Decode<pb::FanOutResponse>(EncodeAnswer(answer)));

  const auto fresh = Decode<pb::FanOutResponse>(EncodeAnswer({}));
  EXPECT_THAT(fresh.warnings(), testing::IsEmpty());
  EXPECT_TRUE(fresh.has_membership_age());
  EXPECT_EQ(fresh.membership_age().seconds(), 0);

  answer.summary.membership_age = absl::InfiniteDuration();
  EXPECT_FALSE(
      Decode<pb::FanOutResponse>(EncodeAnswer(answer)).has_membership_age());
}

TEST(EncodeEventTest, TheEndTellsWhatTheMembershipIsWorth) {
  ExpectOldMembership(
      Decode<pb::StreamFanOutResponse>(EncodeEvent(OfAnOldMembership()))
          .summary());
}

}  // namespace
}  // namespace coord
