// The answer to a unary call, and how large it may grow.
#ifndef SERVER_FANOUT_AGGREGATE_H_
#define SERVER_FANOUT_AGGREGATE_H_

#include <cstddef>
#include <string>
#include <vector>

#include "server/fanout/answer_format.h"
#include "server/fanout/call.h"
#include "server/fanout/node_call.h"

namespace coord {

// Keeps the whole answer, as it is encoded, within a limit. Every outcome has
// room that was reserved for it (ReserveRoom); what more it needs is given in
// order of arrival. A result that finds none becomes a failure TOO_LARGE; a
// failure loses its body and headers first, then the end of its message.
class Aggregate {
 public:
  // Of the `limit`, `reserved` bytes are set aside. `format` outlives this.
  Aggregate(std::size_t limit, std::size_t reserved, const AnswerFormat& format)
      : limit_(limit), format_(format), taken_(reserved) {}

  // Takes the room for one outcome, of which `reserved` is set aside. Its texts
  // are clean, its message is complete. Its body is cut down to what is needed:
  // all of it if BodyView wants it back, else the slice alone, else nothing.
  void Add(BodyView view, std::size_t reserved, NodeOutcome& outcome,
           DataSlice& data);

 private:
  bool Take(std::size_t bytes);
  void AddFailure(NodeOutcome& failure);

  const std::size_t limit_;
  const AnswerFormat& format_;
  std::size_t taken_;
};

// Whether a result's body is told, given that it went into `data` or did not.
bool IsBodyTold(BodyView view, bool spliced);

// Turns a result that is too large for an answer of `limit` bytes into a
// failure without it.
void MakeTooLarge(std::size_t limit, NodeOutcome& outcome);

// One JSON array of all slices, in order of the nodes. Bodies that `view` does
// not want back are dropped on the way.
std::string SpliceData(BodyView view, const std::vector<NodeCall>& nodes,
                       std::vector<NodeOutcome>& outcomes);

}  // namespace coord

#endif  // SERVER_FANOUT_AGGREGATE_H_
