// The texts of outcomes as they are told: valid UTF-8, and cut where they are
// too long.
#ifndef SERVER_FANOUT_OUTCOME_TEXT_H_
#define SERVER_FANOUT_OUTCOME_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "server/fanout/call.h"

namespace coord {

// Stands at the end of a text that was cut.
inline constexpr std::string_view kCutMark = "…";

// One byte that is not UTF-8 would destroy the whole answer for its receiver:
// what others wrote is escaped, header values that are not printable ASCII too.
void CleanText(std::string& text);
void CleanTexts(NodeOutcome& outcome);

// Makes valid UTF-8 `text` shorter by at least `excess` bytes, down to the mark
// alone. A text that is no longer than the mark stays.
void CutText(std::string& text, std::size_t excess);

// Gives up what a server answered, for want of room.
void DropAnswer(NodeOutcome& outcome);

}  // namespace coord

#endif  // SERVER_FANOUT_OUTCOME_TEXT_H_
