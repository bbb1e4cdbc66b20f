#include "server/fanout/answer_room.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "server/fanout/outcome_text.h"

namespace coord {
namespace {

// Most messages are shorter, such as `call node-1: connect 10.0.0.1:80:
// connection refused`; longer ones are told where there is room.
constexpr std::size_t kMessageRoom = 256;

// A failure whose numbers no other outcome exceeds. It may have more attempts
// than its caller asked for: one with another token, and a hedge.
NodeOutcome LargestFailure(const FanOutCall& call) {
  NodeOutcome failure;
  failure.kind = NodeOutcome::Kind::kFailure;
  failure.http_status = 999;
  failure.attempts = call.retry.max_attempts + 2;
  failure.elapsed = absl::InfiniteDuration();
  failure.failure = FailureReason::kCancelled;
  failure.certainty = Certainty::kAnswered;
  failure.message = kCutMark;
  return failure;
}

FanOutSummary LargestSummary(const CallPlan& plan) {
  FanOutSummary summary;
  summary.cluster_id = plan.cluster_id;
  summary.revision = plan.snapshot->revision;
  summary.expected = static_cast<int>(plan.nodes.size());
  summary.elapsed = absl::InfiniteDuration();
  summary.membership_age = plan.knowledge.age;
  summary.warnings = WarningsOf(plan);
  return summary;
}

absl::Status DoesNotFit(const CallPlan& plan, std::size_t needed) {
  return MakeError(
      Reason::kAnswerTooLarge,
      absl::StrCat("call cluster ", plan.snapshot->identity.id, ": to tell of ",
                   plan.nodes.size(), " servers takes ", needed,
                   " bytes, more than the answer's limit of ",
                   plan.answer_bytes,
                   ": ask for more by max_answer_bytes, for fewer servers, or "
                   "for a stream"),
      {{"limit", absl::StrCat(plan.answer_bytes)},
       {"needed", absl::StrCat(needed)}});
}

}  // namespace

absl::Status ReserveRoom(const FanOutCall& call, const AnswerFormat& format,
                         CallPlan& plan) {
  NodeOutcome least = LargestFailure(call);
  // As if `data` filled the answer: the number of its bytes takes room, too.
  std::size_t taken = format.SizeOf(LargestSummary(plan), plan.answer_bytes) -
                      plan.answer_bytes + 2;  // the brackets of `data`
  std::size_t urls = 0;
  for (std::size_t i = 0; i < plan.nodes.size(); ++i) {
    least.server_id = plan.outcomes[i].server_id;
    plan.nodes[i].reserved = format.SizeOf(least);
    taken += plan.nodes[i].reserved;
    urls += plan.outcomes[i].cluster_base_url.size();
  }
  if (taken > plan.answer_bytes) return DoesNotFit(plan, taken);
  plan.reserved_bytes = taken;
  if (plan.nodes.empty()) return absl::OkStatus();

  // Of an added field or a longer text the lengths around it grow, too.
  constexpr std::size_t kLengths = 8;
  const std::size_t nodes = plan.nodes.size();
  const bool tell_urls =
      taken + urls + kLengths * nodes <= plan.answer_bytes / 2;
  const std::size_t left =
      plan.answer_bytes - taken - (tell_urls ? urls + kLengths * nodes : 0);
  const std::size_t message = std::min(kMessageRoom, left / 2 / nodes);
  for (std::size_t i = 0; i < nodes; ++i) {
    std::string& url = plan.outcomes[i].cluster_base_url;
    if (!tell_urls) std::string().swap(url);
    const std::size_t more = message + (tell_urls ? url.size() + kLengths : 0);
    plan.nodes[i].reserved += more;
    plan.reserved_bytes += more;
  }
  return absl::OkStatus();
}

}  // namespace coord
