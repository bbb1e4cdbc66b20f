#include "server/fanout/aggregate.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/fanout/outcome_text.h"

namespace coord {
namespace {

// A slice is cut out of a body that is larger than this many of it, so that
// what a call holds stays in proportion to its limit.
constexpr std::size_t kMaxBodyPerSlice = 2;
constexpr std::size_t kSmallBody = 1024;

// Assigning an empty string would keep the memory.
void Free(std::string& text) { std::string().swap(text); }

void CutOut(std::string& body, DataSlice& data) {
  if (body.size() <= kSmallBody ||
      body.size() <= kMaxBodyPerSlice * data.size) {
    return;
  }
  std::string(body, data.offset, data.size).swap(body);
  data.offset = 0;
}

}  // namespace

bool IsBodyTold(BodyView view, bool spliced) {
  return view == BodyView::kAll || (view == BodyView::kNotSpliced && !spliced);
}

void MakeTooLarge(std::size_t limit, NodeOutcome& outcome) {
  DropAnswer(outcome);
  SetFailure(outcome, FailureReason::kTooLarge,
             absl::StrCat("its answer does not fit into the ", limit,
                          " bytes of the aggregate"));
  outcome.message = FailureMessage(outcome);
}

bool Aggregate::Take(std::size_t bytes) {
  if (taken_ + bytes > limit_) return false;
  taken_ += bytes;
  return true;
}

void Aggregate::Add(BodyView view, std::size_t reserved, NodeOutcome& outcome,
                    DataSlice& data) {
  taken_ -= reserved;
  const bool is_result = outcome.kind == NodeOutcome::Kind::kResult;
  if (!is_result) return AddFailure(outcome);
  const bool told = IsBodyTold(view, data.present);
  std::string untold;
  if (!told) untold.swap(outcome.body);
  if (!Take(format_.SizeOf(outcome) + (data.present ? data.size + 1 : 0))) {
    data = {};
    MakeTooLarge(limit_, outcome);
    return AddFailure(outcome);
  }
  if (told || !data.present) return;
  CutOut(untold, data);
  outcome.body = std::move(untold);
}

// What is left of it at the end is what was reserved for it.
void Aggregate::AddFailure(NodeOutcome& failure) {
  if (Take(format_.SizeOf(failure))) return;
  if (!failure.headers.empty() || !failure.body.empty()) {
    DropAnswer(failure);
    absl::StrAppend(&failure.message, "; its answer does not fit into the ",
                    limit_, " bytes of the aggregate");
  }
  const std::size_t room = limit_ - std::min(limit_, taken_);
  std::size_t size = format_.SizeOf(failure);
  if (size > room) {
    CutText(failure.message, size - room);
    size = format_.SizeOf(failure);
  }
  taken_ += size;
}

std::string SpliceData(BodyView view, const std::vector<NodeCall>& nodes,
                       std::vector<NodeOutcome>& outcomes) {
  std::size_t size = 2;
  for (const NodeCall& node : nodes) size += node.data.size + 1;
  std::string spliced;
  spliced.reserve(size);
  spliced += '[';
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const DataSlice& data = nodes[i].data;
    if (!data.present) continue;
    if (data.size > 0) {
      if (spliced.size() > 1) spliced += ',';
      spliced.append(outcomes[i].body, data.offset, data.size);
    }
    if (!IsBodyTold(view, /*spliced=*/true)) Free(outcomes[i].body);
  }
  spliced += ']';
  return spliced;
}

}  // namespace coord
