// The answer to a unary call, and how large it may grow.
#ifndef SERVER_FANOUT_AGGREGATE_H_
#define SERVER_FANOUT_AGGREGATE_H_

#include <cstddef>
#include <string>
#include <vector>

#include "server/fanout/call.h"
#include "server/fanout/node_call.h"

namespace coord {

// Keeps the whole answer, `data` and all that is told of each node, within a
// limit. Room is given in order of arrival: a result that finds none becomes a
// failure TOO_LARGE, and a failure loses its body and headers.
class Aggregate {
 public:
  explicit Aggregate(std::size_t limit) : limit_(limit) {}

  // Takes the room for one outcome, whose body is cut down to what is needed:
  // all of it if BodyView wants it back, else the slice alone, else nothing.
  void Add(BodyView view, NodeOutcome& outcome, DataSlice& data);

 private:
  bool Take(std::size_t bytes);

  const std::size_t limit_;
  std::size_t taken_ = 2;  // the brackets of `data`
};

// Whether a result's body is told, given that it went into `data` or did not.
bool IsBodyTold(BodyView view, bool spliced);

// One JSON array of all slices, in order of the nodes. Bodies that `view` does
// not want back are dropped on the way.
std::string SpliceData(BodyView view, const std::vector<NodeCall>& nodes,
                       std::vector<NodeOutcome>& outcomes);

}  // namespace coord

#endif  // SERVER_FANOUT_AGGREGATE_H_
