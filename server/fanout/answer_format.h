// How large answers get: what the engine must know of whoever writes them.
#ifndef SERVER_FANOUT_ANSWER_FORMAT_H_
#define SERVER_FANOUT_ANSWER_FORMAT_H_

#include <cstddef>

#include "server/fanout/call.h"

namespace coord {

// Exact sizes in bytes, of outcomes whose texts are clean (CleanTexts).
// Thread-safe.
class AnswerFormat {
 public:
  virtual ~AnswerFormat() = default;
  // What one outcome adds to an answer, and its message in a stream.
  virtual std::size_t SizeOf(const NodeOutcome& outcome) const = 0;
  // All of an answer but its outcomes, with `data_bytes` of `data`.
  virtual std::size_t SizeOf(const FanOutSummary& summary,
                             std::size_t data_bytes) const = 0;
};

}  // namespace coord

#endif  // SERVER_FANOUT_ANSWER_FORMAT_H_
