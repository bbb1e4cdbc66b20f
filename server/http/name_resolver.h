// Addresses of names: one lookup for each name, whoever asks for it.
#ifndef SERVER_HTTP_NAME_RESOLVER_H_
#define SERVER_HTTP_NAME_RESOLVER_H_

#include <sys/stat.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/http/asio_loop.h"
#include "server/http/dns_channel.h"
#include "server/http/name_cache.h"

namespace coord {

struct NameResolverOptions {
  // `ADDRESS[:PORT],…` to ask; empty: those of /etc/resolv.conf, which is read
  // again when it has changed.
  std::string servers;
  NameCacheOptions cache;
  std::size_t max_lookups = 4096;  // in flight; more wait their turn
};

// What is known of a name so far.
struct NameAnswer {
  Addresses addresses;  // in the order in which to try them; families alternate
  // OK: the DNS or /etc/hosts says so now. Else why `addresses` are those of an
  // older answer, or empty: NOT_FOUND, the DNS says that it has none;
  // UNAVAILABLE, the DNS has not answered.
  absl::Status status;
  bool last = true;  // false: more will be told
};

// `localhost` is both loopback addresses. Looks other names up in /etc/hosts
// and the DNS on a thread of its own, since it reads files. Answers are kept,
// see NameCacheOptions. A new one has a head start of 50 ms, then who asks is
// told what there is: addresses of one family, or those of an older answer.
// Thread-safe.
class NameResolver {
 public:
  using OnAnswer = absl::AnyInvocable<void(const NameAnswer&)>;

  // Errors: INVALID_ARGUMENT when options.servers can't be read.
  static absl::StatusOr<std::unique_ptr<NameResolver>> Create(
      NameResolverOptions options);
  // Stops.
  ~NameResolver();

  // Calls `on_answer` on the resolver's thread, never inside, until it was told
  // the last answer; no longer once stopped.
  void Resolve(std::string name, OnAnswer on_answer);

  // No answer comes after it. To be called before what answers go to is gone.
  void Stop() { loop_.Stop(); }

 private:
  struct Caller {
    OnAnswer on_answer;
    bool told = false;
  };
  struct Lookup {
    Addresses older;
    std::shared_ptr<DnsChannel> channel;  // nullptr: it waits for its turn
    std::vector<std::string> candidates;  // what the name may be short for
    std::size_t asked = 0;                // of those, at present
    int missing = 0;                      // families
    Addresses v6;
    Addresses v4;
    absl::Duration ttl = absl::InfiniteDuration();
    absl::Status failure;  // UNAVAILABLE outweighs NOT_FOUND
    TimerId head_start = kNoTimer;
    std::vector<Caller> callers;
  };

  explicit NameResolver(NameResolverOptions options)
      : options_(std::move(options)), cache_(options_.cache) {}

  void Ask(const std::string& name, OnAnswer on_answer);
  void StartNext();
  void Start(const std::string& name, Lookup& lookup);
  void AskBothFamilies(const std::string& name, Lookup& lookup);
  void OnFamily(const std::string& name, DnsChannel::Family family,
                DnsAnswer answer);
  static void TellEarly(Lookup& lookup, bool news);
  void Finish(const std::string& name);
  std::shared_ptr<DnsChannel> Channel();

  const NameResolverOptions options_;
  // Used on the loop only.
  NameCache cache_;
  std::shared_ptr<DnsChannel> channel_;
  struct stat resolv_conf_ = {};  // that channel_ has read
  absl::Time looked_at_conf_ = absl::InfinitePast();
  absl::flat_hash_map<std::string, std::unique_ptr<Lookup>> lookups_;
  std::deque<std::string> waiting_;  // for their turn
  std::size_t in_flight_ = 0;
  AsioLoop loop_{"names"};
};

}  // namespace coord

#endif  // SERVER_HTTP_NAME_RESOLVER_H_
