// Which servers a join tells of.
#ifndef SERVER_NODE_JOIN_LIST_H_
#define SERVER_NODE_JOIN_LIST_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "server/core/server.h"

namespace coord {

// What every receiver takes: the body parsers of Node.js stop at 100 kB unless
// they are told otherwise.
inline constexpr std::size_t kMaxJoinBytes = 90'000;

// The itResource in a join. It has the sender's whole list, as the reference
// sends it, where that fits. Where it doesn't, it has the server that joined
// and those that changed last: the others were told of before, and a receiver
// learns of them from the authority, too.
class JoinList {
 public:
  // `joined` is told of whatever its size.
  JoinList(const ClusterSnapshot& cluster, std::string_view joined,
           std::size_t max_bytes = kMaxJoinBytes);

  const std::string& json() const { return json_; }
  // Whether it tells of `server_id`, if that is a member at all.
  bool TellsOf(const std::string& server_id) const {
    return whole_ || servers_.contains(server_id);
  }

 private:
  std::string json_;
  bool whole_ = true;
  absl::flat_hash_set<std::string> servers_;  // unless whole
};

}  // namespace coord

#endif  // SERVER_NODE_JOIN_LIST_H_
