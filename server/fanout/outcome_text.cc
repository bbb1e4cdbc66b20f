#include "server/fanout/outcome_text.h"

#include "common/utf8.h"

namespace coord {

void CleanText(std::string& text) {
  if (!IsValidUtf8(text)) text = EscapeInvalidUtf8(text);
}

void CleanTexts(NodeOutcome& outcome) {
  CleanText(outcome.server_id);
  CleanText(outcome.cluster_base_url);
  CleanText(outcome.message);
  for (auto& [name, value] : outcome.headers) {
    CleanText(name);
    if (!IsPrintableAscii(value)) value = EscapeHeaderValue(value);
  }
}

void CutText(std::string& text, std::size_t excess) {
  if (text.size() <= kCutMark.size()) return;
  const std::size_t gone = excess + kCutMark.size();
  const std::size_t left = text.size() > gone ? text.size() - gone : 0;
  text.resize(Utf8Prefix(text, left).size());
  text += kCutMark;
}

// Assigning an empty string would keep the memory.
void DropAnswer(NodeOutcome& outcome) {
  HttpHeaders().swap(outcome.headers);
  std::string().swap(outcome.body);
}

}  // namespace coord
