// Whom one may evict, and how often. Pure.
#ifndef SERVER_CORE_EVICTION_RULES_H_
#define SERVER_CORE_EVICTION_RULES_H_

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "server/core/server.h"

namespace coord {

// Remembers evictions, so that the same id and address is evicted at most once
// in `quiet` (10 minutes); after that it is only suspected. Of more than
// `max_remembered` the oldest are forgotten. Not thread-safe.
class EvictionHistory {
 public:
  explicit EvictionHistory(absl::Duration quiet = absl::Minutes(10),
                           std::size_t max_remembered = 10'000)
      : quiet_(quiet), max_remembered_(max_remembered) {}

  bool MayEvict(const Server& server, absl::Time now) const;
  void Evicted(const Server& server, absl::Time now);
  void Expire(absl::Time now);

 private:
  using IdAndAddress = std::pair<std::string, std::string>;

  void ForgetOldest();

  const absl::Duration quiet_;
  const std::size_t max_remembered_;
  absl::flat_hash_map<IdAndAddress, absl::Time> evicted_at_;
  std::deque<std::pair<absl::Time, IdAndAddress>> order_;
};

}  // namespace coord

#endif  // SERVER_CORE_EVICTION_RULES_H_
