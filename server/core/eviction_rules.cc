#include "server/core/eviction_rules.h"

#include <utility>

#include "server/core/address_index.h"

namespace coord {

bool EvictionHistory::MayEvict(const Server& server, absl::Time now) const {
  const auto it = evicted_at_.find({server.server_id, AddressOf(server)});
  return it == evicted_at_.end() || now - it->second >= quiet_;
}

void EvictionHistory::Evicted(const Server& server, absl::Time now) {
  IdAndAddress evicted(server.server_id, AddressOf(server));
  evicted_at_[evicted] = now;
  order_.emplace_back(now, std::move(evicted));
  while (order_.size() > max_remembered_) ForgetOldest();
}

void EvictionHistory::Expire(absl::Time now) {
  while (!order_.empty() && now - order_.front().first >= quiet_) {
    ForgetOldest();
  }
}

// One that was evicted again since has a later place in the order.
void EvictionHistory::ForgetOldest() {
  const auto& [when, evicted] = order_.front();
  const auto it = evicted_at_.find(evicted);
  if (it != evicted_at_.end() && it->second == when) evicted_at_.erase(it);
  order_.pop_front();
}

}  // namespace coord
