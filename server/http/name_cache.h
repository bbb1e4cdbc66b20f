// What is known of names: answers of the DNS, and for how long they hold.
#ifndef SERVER_HTTP_NAME_CACHE_H_
#define SERVER_HTTP_NAME_CACHE_H_

#include <boost/asio/ip/address.hpp>
#include <cstddef>
#include <list>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"

namespace coord {

using Addresses = std::vector<boost::asio::ip::address>;

struct NameCacheOptions {
  // An answer holds for its TTL, but within these bounds.
  absl::Duration min_ttl = absl::Seconds(5);
  absl::Duration max_ttl = absl::Minutes(5);
  // How long it is of use afterwards, while no newer one is to be had.
  absl::Duration keep_stale = absl::Hours(1);
  // After a lookup that failed, or found no such name, nobody asks for this
  // long.
  absl::Duration failure_ttl = absl::Seconds(2);
  // Over it the name goes that was not asked for the longest.
  std::size_t max_names = 10'000;
};

// Pure; not thread-safe.
class NameCache {
 public:
  struct Known {
    Addresses addresses;
    // OK: they are current. Else why they are not, or why there are none.
    absl::Status status;
    bool ask = true;  // whether to look the name up
  };

  explicit NameCache(NameCacheOptions options = {}) : options_(options) {}

  Known Find(const std::string& name, absl::Time now);

  // `addresses` must not be empty.
  void Store(const std::string& name, Addresses addresses, absl::Duration ttl,
             absl::Time now);
  // The DNS says that it has no address: what was known of it is forgotten.
  void StoreMissing(const std::string& name, absl::Status why, absl::Time now);
  // The lookup failed: what was known of it stays of use.
  void StoreFailure(const std::string& name, absl::Status why, absl::Time now);

  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string name;
    Addresses addresses;
    absl::Time current_until = absl::InfinitePast();
    absl::Time usable_until = absl::InfinitePast();
    absl::Status failure;  // of the last lookup
    absl::Time quiet_until = absl::InfinitePast();
  };

  Entry& EntryOf(const std::string& name);

  const NameCacheOptions options_;
  std::list<Entry> entries_;  // the one that was asked for last is in front
  absl::flat_hash_map<std::string, std::list<Entry>::iterator> by_name_;
};

}  // namespace coord

#endif  // SERVER_HTTP_NAME_CACHE_H_
