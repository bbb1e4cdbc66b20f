#include "server/http/name_cache.h"

#include <algorithm>
#include <utility>

namespace coord {

NameCache::Known NameCache::Find(const std::string& name, absl::Time now) {
  const auto it = by_name_.find(name);
  if (it == by_name_.end()) {
    return {{}, absl::UnavailableError("it is being looked up"), true};
  }
  entries_.splice(entries_.begin(), entries_, it->second);
  const Entry& entry = entries_.front();
  if (now < entry.current_until) {
    return {entry.addresses, absl::OkStatus(), false};
  }
  Known known;
  if (now < entry.usable_until) known.addresses = entry.addresses;
  known.ask = now >= entry.quiet_until;
  known.status = entry.failure.ok() || known.ask
                     ? absl::UnavailableError("it is being looked up again")
                     : entry.failure;
  return known;
}

void NameCache::Store(const std::string& name, Addresses addresses,
                      absl::Duration ttl, absl::Time now) {
  Entry& entry = EntryOf(name);
  entry.addresses = std::move(addresses);
  entry.current_until =
      now + std::clamp(ttl, options_.min_ttl, options_.max_ttl);
  entry.usable_until = entry.current_until + options_.keep_stale;
  entry.failure = absl::OkStatus();
}

void NameCache::StoreMissing(const std::string& name, absl::Status why,
                             absl::Time now) {
  Entry& entry = EntryOf(name);
  entry.addresses.clear();
  entry.current_until = entry.usable_until = absl::InfinitePast();
  entry.failure = std::move(why);
  entry.quiet_until = now + options_.failure_ttl;
}

void NameCache::StoreFailure(const std::string& name, absl::Status why,
                             absl::Time now) {
  Entry& entry = EntryOf(name);
  entry.failure = std::move(why);
  entry.quiet_until = now + options_.failure_ttl;
}

NameCache::Entry& NameCache::EntryOf(const std::string& name) {
  if (const auto it = by_name_.find(name); it != by_name_.end()) {
    return *it->second;
  }
  while (entries_.size() >= options_.max_names) {
    by_name_.erase(entries_.back().name);
    entries_.pop_back();
  }
  entries_.push_front({.name = name});
  by_name_.emplace(name, entries_.begin());
  return entries_.front();
}

}  // namespace coord
