#include "server/fanout/aggregate.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace coord {
namespace {

// A slice is cut out of a body that is larger than this many of it, so that
// what a call holds stays in proportion to its limit.
constexpr std::size_t kMaxBodyPerSlice = 2;
constexpr std::size_t kSmallBody = 1024;
// Numbers, tags and lengths of one outcome or header in the answer's message.
constexpr std::size_t kOutcomeOverhead = 48;
constexpr std::size_t kHeaderOverhead = 8;

std::size_t HeaderBytes(const HttpHeaders& headers) {
  std::size_t bytes = 0;
  for (const HttpHeader& header : headers) {
    bytes += header.name.size() + header.value.size() + kHeaderOverhead;
  }
  return bytes;
}

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

bool Aggregate::Take(std::size_t bytes) {
  if (taken_ + bytes > limit_) return false;
  taken_ += bytes;
  return true;
}

void Aggregate::Add(BodyView view, NodeOutcome& outcome, DataSlice& data) {
  const bool is_result = outcome.kind == NodeOutcome::Kind::kResult;
  const bool told = !is_result || IsBodyTold(view, data.present);
  const std::size_t bytes =
      kOutcomeOverhead + outcome.server_id.size() +
      outcome.cluster_base_url.size() + outcome.message.size() +
      HeaderBytes(outcome.headers) + (told ? outcome.body.size() : 0) +
      (data.present ? data.size + 1 : 0);
  if (!Take(bytes)) {
    outcome.headers.clear();
    Free(outcome.body);
    data = {};
    if (is_result) {
      SetFailure(outcome, FailureReason::kTooLarge,
                 absl::StrCat("its answer does not fit into the ", limit_,
                              " bytes of the aggregate"));
    } else if (outcome.kind == NodeOutcome::Kind::kFailure) {
      absl::StrAppend(&outcome.message, "; its answer does not fit into the ",
                      limit_, " bytes of the aggregate");
    }
    return;
  }
  if (told) return;
  if (data.present) {
    CutOut(outcome.body, data);
  } else {
    Free(outcome.body);
  }
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
