// Who must be heard from by when. Pure.
#ifndef SERVER_CORE_LEASE_TABLE_H_
#define SERVER_CORE_LEASE_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/time/time.h"

namespace coord {

// Expiries by key. A renewal costs one look-up; its place among the others
// is found when the old expiry comes up. Not thread-safe.
template <typename Key>
class LeaseTable {
 public:
  // Grants or renews: `key` expires at `expiry` and not before.
  void Grant(const Key& key, absl::Time expiry) {
    Lease& lease = leases_[key];
    lease.expiry = expiry;
    if (lease.place.when <= expiry) return;
    queue_.erase(lease.place);
    Queue(key, lease);
  }

  // False when there was none.
  bool Release(const Key& key) {
    auto it = leases_.find(key);
    if (it == leases_.end()) return false;
    queue_.erase(it->second.place);
    leases_.erase(it);
    return true;
  }

  // nullopt when there is none.
  std::optional<absl::Time> ExpiryOf(const Key& key) const {
    auto it = leases_.find(key);
    if (it == leases_.end()) return std::nullopt;
    return it->second.expiry;
  }

  // Takes out the keys that expired at or before `now`, earliest first. Looks
  // at `most` leases at the most, those that were renewed included; NextCheck
  // tells whether there are more.
  std::vector<Key> TakeExpired(
      absl::Time now,
      std::size_t most = std::numeric_limits<std::size_t>::max()) {
    std::vector<Key> expired;
    for (; most > 0 && NextCheck() <= now && !queue_.empty(); --most) {
      Key key = std::move(queue_.begin()->second);
      queue_.erase(queue_.begin());
      auto it = leases_.find(key);
      // One that was renewed takes its place among the others, be it expired.
      if (it->second.expiry > it->second.place.when) {
        Queue(key, it->second);
      } else {
        leases_.erase(it);
        expired.push_back(std::move(key));
      }
    }
    return expired;
  }

  // When to call TakeExpired next: no lease expires before. InfiniteFuture when
  // there are none.
  absl::Time NextCheck() const {
    return queue_.empty() ? absl::InfiniteFuture() : queue_.begin()->first.when;
  }

  std::size_t size() const { return leases_.size(); }

 private:
  // Where a lease stands in the queue: that of its expiry, or of an earlier
  // one.
  struct Place {
    absl::Time when = absl::InfiniteFuture();  // as long as it is nowhere
    std::uint64_t ticket = 0;                  // for one time there may be many
    friend bool operator<(const Place& a, const Place& b) {
      return std::tie(a.when, a.ticket) < std::tie(b.when, b.ticket);
    }
  };
  struct Lease {
    absl::Time expiry = absl::InfinitePast();
    Place place;
  };

  void Queue(const Key& key, Lease& lease) {
    lease.place = {lease.expiry, ++last_ticket_};
    queue_.emplace(lease.place, key);
  }

  absl::btree_map<Key, Lease> leases_;  // growing holds nobody up
  absl::btree_map<Place, Key> queue_;
  std::uint64_t last_ticket_ = 0;
};

}  // namespace coord

#endif  // SERVER_CORE_LEASE_TABLE_H_
