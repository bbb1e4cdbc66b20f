#include "server/rpc/encode_fan_out.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "mimik/cluster/v1/fan_out_service.pb.h"
#include "server/rpc/convert.h"
#include "server/rpc/wire.h"

namespace coord {
namespace {

pb::Verdict ProtoOf(Verdict verdict) {
  switch (verdict) {
    case Verdict::kComplete:
      return pb::VERDICT_COMPLETE;
    case Verdict::kPartial:
      return pb::VERDICT_PARTIAL;
    case Verdict::kNone:
      return pb::VERDICT_NONE;
  }
  return pb::VERDICT_UNSPECIFIED;
}

pb::FailureReason ProtoOf(FailureReason reason) {
  switch (reason) {
    case FailureReason::kUnreachable:
      return pb::FAILURE_REASON_UNREACHABLE;
    case FailureReason::kTimeout:
      return pb::FAILURE_REASON_TIMEOUT;
    case FailureReason::kConnectionLost:
      return pb::FAILURE_REASON_CONNECTION_LOST;
    case FailureReason::kWrongServer:
      return pb::FAILURE_REASON_WRONG_SERVER;
    case FailureReason::kHttpStatus:
      return pb::FAILURE_REASON_HTTP_STATUS;
    case FailureReason::kBadBody:
      return pb::FAILURE_REASON_BAD_BODY;
    case FailureReason::kTooLarge:
      return pb::FAILURE_REASON_TOO_LARGE;
    case FailureReason::kToken:
      return pb::FAILURE_REASON_TOKEN;
    case FailureReason::kNotMember:
      return pb::FAILURE_REASON_NOT_MEMBER;
    case FailureReason::kCancelled:
      return pb::FAILURE_REASON_CANCELLED;
  }
  return pb::FAILURE_REASON_UNSPECIFIED;
}

pb::Certainty ProtoOf(Certainty certainty) {
  switch (certainty) {
    case Certainty::kNotSent:
      return pb::CERTAINTY_NOT_SENT;
    case Certainty::kMaybeExecuted:
      return pb::CERTAINTY_MAYBE_EXECUTED;
    case Certainty::kAnswered:
      return pb::CERTAINTY_ANSWERED;
  }
  return pb::CERTAINTY_UNSPECIFIED;
}

pb::Warning ProtoOf(Warning warning) {
  switch (warning) {
    case Warning::kEmpty:
      return pb::WARNING_EMPTY;
    case Warning::kStale:
      return pb::WARNING_STALE;
    case Warning::kSelfPreservation:
      return pb::WARNING_SELF_PRESERVATION;
  }
  return pb::WARNING_UNSPECIFIED;
}

pb::SkipReason ProtoOf(SkipReason reason) {
  switch (reason) {
    case SkipReason::kDraining:
      return pb::SKIP_REASON_DRAINING;
    case SkipReason::kPolicyMet:
      return pb::SKIP_REASON_POLICY_MET;
  }
  return pb::SKIP_REASON_UNSPECIFIED;
}

// A time that has passed: never negative, and far below 292 years.
template <typename Out>
void PutDuration(Out& out, int field, absl::Duration duration) {
  constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
  const std::int64_t nanos = absl::ToInt64Nanoseconds(duration);
  PutMessage(out, field, [nanos](auto& to) {
    PutNumber(to, google::protobuf::Duration::kSecondsFieldNumber,
              nanos / kNanosPerSecond);
    PutNumber(to, google::protobuf::Duration::kNanosFieldNumber,
              nanos % kNanosPerSecond);
  });
}

// What results and failures have in common.
template <typename Message, typename Out>
void PutAnswered(Out& out, const NodeOutcome& outcome) {
  PutBytes(out, Message::kServerIdFieldNumber, outcome.server_id);
  PutBytes(out, Message::kClusterBaseUrlFieldNumber, outcome.cluster_base_url);
  PutNumber(out, Message::kHttpStatusFieldNumber, outcome.http_status);
  for (const HttpHeader& header : outcome.headers) {
    PutMessage(out, Message::kHeadersFieldNumber, [&header](auto& to) {
      PutBytes(to, pb::Header::kNameFieldNumber, header.name);
      PutBytes(to, pb::Header::kValueFieldNumber, header.value);
    });
  }
  PutBytes(out, Message::kBodyFieldNumber, outcome.body);
  PutNumber(out, Message::kAttemptsFieldNumber, outcome.attempts);
  PutDuration(out, Message::kElapsedFieldNumber, outcome.elapsed);
}

template <typename Out>
void PutOutcome(Out& out, int field, const NodeOutcome& outcome) {
  PutMessage(out, field, [&outcome](auto& to) {
    switch (outcome.kind) {
      case NodeOutcome::Kind::kResult:
        return PutAnswered<pb::FanOutResult>(to, outcome);
      case NodeOutcome::Kind::kFailure:
        PutAnswered<pb::FanOutFailure>(to, outcome);
        PutNumber(to, pb::FanOutFailure::kReasonFieldNumber,
                  ProtoOf(outcome.failure));
        PutNumber(to, pb::FanOutFailure::kCertaintyFieldNumber,
                  ProtoOf(outcome.certainty));
        return PutBytes(to, pb::FanOutFailure::kMessageFieldNumber,
                        outcome.message);
      case NodeOutcome::Kind::kSkipped:
        PutBytes(to, pb::FanOutSkip::kServerIdFieldNumber, outcome.server_id);
        PutNumber(to, pb::FanOutSkip::kReasonFieldNumber,
                  ProtoOf(outcome.skip));
        return PutNumber(to, pb::FanOutSkip::kCertaintyFieldNumber,
                         ProtoOf(outcome.certainty));
    }
  });
}

// Those of one kind, in a repeated field.
template <typename Out>
void PutOutcomes(Out& out, int field, NodeOutcome::Kind kind,
                 const std::vector<NodeOutcome>& outcomes) {
  for (const NodeOutcome& outcome : outcomes) {
    if (outcome.kind == kind) PutOutcome(out, field, outcome);
  }
}

// What an answer and the end of a stream have in common.
template <typename Message, typename Out>
void PutVerdict(Out& out, const FanOutSummary& summary) {
  PutNumber(out, Message::kVerdictFieldNumber, ProtoOf(summary.verdict));
  PutNumber(out, Message::kPolicyMetFieldNumber, summary.policy_met ? 1 : 0);
  PutBytes(out, Message::kClusterIdFieldNumber, summary.cluster_id);
  PutNumber(out, Message::kRevisionFieldNumber, summary.revision);
  PutNumber(out, Message::kExpectedCountFieldNumber, summary.expected);
}

// The last fields of both.
template <typename Message, typename Out>
void PutElapsedAndKnowledge(Out& out, const FanOutSummary& summary) {
  PutDuration(out, Message::kElapsedFieldNumber, summary.elapsed);
  std::vector<std::int64_t> warnings;
  for (const Warning warning : summary.warnings) {
    warnings.push_back(ProtoOf(warning));
  }
  PutNumbers(out, Message::kWarningsFieldNumber, warnings);
  if (summary.membership_age == absl::InfiniteDuration()) return;
  PutDuration(out, Message::kMembershipAgeFieldNumber, summary.membership_age);
}

template <typename Out>
void PutAnswer(Out& out, const FanOutAnswer& answer) {
  using Message = pb::FanOutResponse;
  using Kind = NodeOutcome::Kind;
  PutVerdict<Message>(out, answer.summary);
  PutBytes(out, Message::kDataJsonFieldNumber, answer.data_json);
  PutOutcomes(out, Message::kResultsFieldNumber, Kind::kResult,
              answer.outcomes);
  PutOutcomes(out, Message::kFailuresFieldNumber, Kind::kFailure,
              answer.outcomes);
  PutOutcomes(out, Message::kSkippedFieldNumber, Kind::kSkipped,
              answer.outcomes);
  PutElapsedAndKnowledge<Message>(out, answer.summary);
}

int EventOf(NodeOutcome::Kind kind) {
  switch (kind) {
    case NodeOutcome::Kind::kResult:
      return pb::StreamFanOutResponse::kResultFieldNumber;
    case NodeOutcome::Kind::kFailure:
      return pb::StreamFanOutResponse::kFailureFieldNumber;
    case NodeOutcome::Kind::kSkipped:
      break;
  }
  return pb::StreamFanOutResponse::kSkipFieldNumber;
}

class Format final : public AnswerFormat {
 public:
  // The fields that hold outcomes have small numbers in an answer and in a
  // stream: their tags are of one size.
  std::size_t SizeOf(const NodeOutcome& outcome) const override {
    WireSize size;
    PutOutcome(size, EventOf(outcome.kind), outcome);
    return size.bytes();
  }

  std::size_t SizeOf(const FanOutSummary& summary,
                     std::size_t data_bytes) const override {
    WireSize size;
    PutAnswer(size, {summary, "", {}});
    PutTag(size, pb::FanOutResponse::kDataJsonFieldNumber,
           WireType::kLengthDelimited);
    size.Varint(data_bytes);
    size.Skip(data_bytes);
    return size.bytes();
  }
};

}  // namespace

const AnswerFormat& WireFormat() {
  static const Format format;
  return format;
}

grpc::ByteBuffer EncodeAnswer(FanOutAnswer answer) {
  return MessageOf([&answer](auto& out) { PutAnswer(out, answer); });
}

grpc::ByteBuffer EncodeEvent(NodeOutcome outcome) {
  return MessageOf([&outcome](auto& out) {
    PutOutcome(out, EventOf(outcome.kind), outcome);
  });
}

grpc::ByteBuffer EncodeEvent(FanOutSummary summary) {
  using Message = pb::FanOutSummary;
  return MessageOf([&summary](auto& out) {
    PutMessage(
        out, pb::StreamFanOutResponse::kSummaryFieldNumber,
        [&summary](auto& to) {
          PutVerdict<Message>(to, summary);
          PutNumber(to, Message::kResultCountFieldNumber, summary.results);
          PutNumber(to, Message::kFailureCountFieldNumber, summary.failures);
          PutNumber(to, Message::kSkippedCountFieldNumber, summary.skipped);
          PutElapsedAndKnowledge<Message>(to, summary);
        });
  });
}

}  // namespace coord
