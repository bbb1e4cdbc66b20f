// Who must be heard from by when. Pure.
#ifndef SERVER_CORE_LEASE_TABLE_H_
#define SERVER_CORE_LEASE_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"

namespace coord {

// Expiries by key. A renewal costs one hash look-up and, amortised, one heap
// operation only when the old expiry comes up. Not thread-safe.
template <typename Key>
class LeaseTable {
 public:
  // Grants or renews: `key` expires at `expiry` and not before.
  void Grant(const Key& key, absl::Time expiry) {
    Lease& lease = leases_[key];
    const bool queued = lease.queued_for <= expiry;
    lease.expiry = expiry;
    if (!queued) Queue(key, lease);
  }

  // False when there was none.
  bool Release(const Key& key) { return leases_.erase(key) > 0; }

  // nullopt when there is none.
  std::optional<absl::Time> ExpiryOf(const Key& key) const {
    auto it = leases_.find(key);
    if (it == leases_.end()) return std::nullopt;
    return it->second.expiry;
  }

  // Takes out every key that expired at or before `now`, earliest first.
  std::vector<Key> TakeExpired(absl::Time now) {
    std::vector<Key> expired;
    while (!heap_.empty() && heap_.top().when <= now) {
      Entry entry = heap_.top();
      heap_.pop();
      auto it = leases_.find(entry.key);
      if (it == leases_.end() || it->second.ticket != entry.ticket) continue;
      // One that was renewed takes its place among the others, be it expired.
      if (it->second.expiry > entry.when) {
        Queue(entry.key, it->second);
      } else {
        leases_.erase(it);
        expired.push_back(std::move(entry.key));
      }
    }
    return expired;
  }

  // When to call TakeExpired next: no lease expires before. InfiniteFuture when
  // there are none.
  absl::Time NextCheck() const {
    return heap_.empty() ? absl::InfiniteFuture() : heap_.top().when;
  }

  std::size_t size() const { return leases_.size(); }

 private:
  struct Lease {
    absl::Time expiry = absl::InfinitePast();
    absl::Time queued_for = absl::InfiniteFuture();
    std::uint64_t ticket = 0;
  };
  struct Entry {
    absl::Time when;
    std::uint64_t ticket;
    Key key;
    friend bool operator>(const Entry& a, const Entry& b) {
      return a.when > b.when;
    }
  };

  // The ticket makes older entries of the same key void.
  void Queue(const Key& key, Lease& lease) {
    lease.ticket = ++last_ticket_;
    lease.queued_for = lease.expiry;
    heap_.push({lease.expiry, lease.ticket, key});
    if (heap_.size() > 2 * leases_.size() + 64) DropVoidEntries();
  }

  // Keeps the heap in proportion to the leases when many come and go.
  void DropVoidEntries() {
    std::vector<Entry> entries;
    entries.reserve(leases_.size());
    for (const auto& [key, lease] : leases_) {
      entries.push_back({lease.queued_for, lease.ticket, key});
    }
    heap_ = decltype(heap_)(std::greater<>(), std::move(entries));
  }

  absl::flat_hash_map<Key, Lease> leases_;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> heap_;
  std::uint64_t last_ticket_ = 0;
};

}  // namespace coord

#endif  // SERVER_CORE_LEASE_TABLE_H_
