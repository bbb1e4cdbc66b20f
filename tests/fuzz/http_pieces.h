// Feeds a parser bytes as a connection does: in pieces, what it did not take
// first.
#ifndef TESTS_FUZZ_HTTP_PIECES_H_
#define TESTS_FUZZ_HTTP_PIECES_H_

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "tests/fuzz/must.h"

namespace coord {

// Parses `bytes`, `piece` at a time, until the parser is done, fails or wants
// more than there is; `taken` counts what it took.
template <typename Parser>
typename Parser::Progress ParseInPieces(Parser& parser, std::string_view bytes,
                                        std::size_t piece, std::size_t& taken) {
  auto progress = Parser::Progress::kNeedMore;
  std::string waiting;
  taken = 0;
  while (progress == Parser::Progress::kNeedMore && !bytes.empty()) {
    waiting += bytes.substr(0, piece);
    bytes.remove_prefix(std::min(piece, bytes.size()));
    std::size_t now = 0;
    progress = parser.Parse(waiting, now);
    Must(now <= waiting.size());
    waiting.erase(0, now);
    taken += now;
  }
  return progress;
}

}  // namespace coord

#endif  // TESTS_FUZZ_HTTP_PIECES_H_
