#include "server/http/name_resolver.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"

namespace coord {
namespace asio = boost::asio;

namespace {

// The Resolution Delay of RFC 8305.
constexpr absl::Duration kHeadStart = absl::Milliseconds(50);
constexpr char kResolvConf[] = "/etc/resolv.conf";
constexpr absl::Duration kLookAtConf = absl::Seconds(5);

// IPv6 first, then in turns (RFC 8305, 4).
Addresses Interleave(const Addresses& v6, const Addresses& v4) {
  Addresses all;
  for (std::size_t i = 0; i < std::max(v6.size(), v4.size()); ++i) {
    if (i < v6.size()) all.push_back(v6[i]);
    if (i < v4.size()) all.push_back(v4[i]);
  }
  return all;
}

// What such a name leads to is not for the DNS to say (RFC 6761, 6.3), nor for
// a file that knows one family alone.
bool IsLocalhost(const std::string& name) {
  return absl::EqualsIgnoreCase(name, "localhost") ||
         absl::EndsWithIgnoreCase(name, ".localhost");
}

bool SameFile(const struct stat& a, const struct stat& b) {
  return a.st_ino == b.st_ino && a.st_dev == b.st_dev &&
         a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
         a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

}  // namespace

absl::StatusOr<std::unique_ptr<NameResolver>> NameResolver::Create(
    NameResolverOptions options) {
  std::unique_ptr<NameResolver> self(new NameResolver(std::move(options)));
  stat(kResolvConf, &self->resolv_conf_);
  absl::StatusOr<std::unique_ptr<DnsChannel>> channel =
      DnsChannel::Create(self->loop_, self->options_.servers);
  if (!channel.ok()) return channel.status();
  self->channel_ = *std::move(channel);
  return self;
}

NameResolver::~NameResolver() {
  Stop();
  // They end their sockets, which belong to the loop.
  lookups_.clear();
  channel_ = nullptr;
}

void NameResolver::Resolve(std::string name, OnAnswer on_answer) {
  loop_.Post([this, name = std::move(name),
              on_answer = std::move(on_answer)]() mutable {
    Ask(name, std::move(on_answer));
  });
}

void NameResolver::Ask(const std::string& name, OnAnswer on_answer) {
  NameCache::Known known = cache_.Find(name, loop_.Now());
  if (!known.ask) {
    on_answer({std::move(known.addresses), std::move(known.status)});
    return;
  }
  std::unique_ptr<Lookup>& lookup = lookups_[name];
  const bool first = lookup == nullptr;
  if (first) {
    lookup = std::make_unique<Lookup>();
    lookup->older = std::move(known.addresses);
    lookup->head_start = loop_.RunAfter(kHeadStart, [asked = lookup.get()] {
      asked->head_start = kNoTimer;
      TellEarly(*asked, /*news=*/false);
    });
    waiting_.push_back(name);
  }
  lookup->callers.push_back({std::move(on_answer)});
  if (lookup->head_start == kNoTimer) TellEarly(*lookup, /*news=*/false);
  if (first) StartNext();
}

void NameResolver::StartNext() {
  while (in_flight_ < options_.max_lookups && !waiting_.empty()) {
    const std::string name = std::move(waiting_.front());
    waiting_.pop_front();
    ++in_flight_;
    Start(name, *lookups_.at(name));
  }
}

void NameResolver::Start(const std::string& name, Lookup& lookup) {
  lookup.channel = Channel();
  if (IsLocalhost(name)) {
    lookup.v6 = {asio::ip::address_v6::loopback()};
    lookup.v4 = {asio::ip::address_v4::loopback()};
  } else {
    lookup.v4 = lookup.channel->FromHostsFile(name);
  }
  if (!lookup.v4.empty()) {
    lookup.ttl = absl::ZeroDuration();
    // Not inside Ask, which may be called by whoever is told.
    loop_.Post([this, name] { Finish(name); });
    return;
  }
  lookup.candidates = lookup.channel->Candidates(name);
  AskBothFamilies(name, lookup);
}

void NameResolver::AskBothFamilies(const std::string& name, Lookup& lookup) {
  for (const auto family : {DnsChannel::Family::kV6, DnsChannel::Family::kV4}) {
    ++lookup.missing;
    lookup.channel->Ask(lookup.candidates[lookup.asked], family,
                        [this, name, family](DnsAnswer answer) {
                          OnFamily(name, family, std::move(answer));
                        });
  }
}

void NameResolver::OnFamily(const std::string& name, DnsChannel::Family family,
                            DnsAnswer answer) {
  Lookup& lookup = *lookups_.at(name);
  if (answer.status.ok()) {
    (family == DnsChannel::Family::kV6 ? lookup.v6 : lookup.v4) =
        std::move(answer.addresses);
    lookup.ttl = std::min(lookup.ttl, answer.ttl);
  } else if (lookup.failure.ok() || absl::IsUnavailable(answer.status)) {
    lookup.failure = std::move(answer.status);
  }
  if (--lookup.missing == 0) {
    const bool found = !lookup.v6.empty() || !lookup.v4.empty();
    if (found || ++lookup.asked == lookup.candidates.size()) {
      return Finish(name);
    }
    AskBothFamilies(name, lookup);
  } else if (lookup.head_start == kNoTimer && answer.status.ok()) {
    TellEarly(lookup, /*news=*/true);
  }
}

// `news`: those who were told something already are told again.
void NameResolver::TellEarly(Lookup& lookup, bool news) {
  NameAnswer answer;
  answer.last = false;
  answer.addresses = Interleave(lookup.v6, lookup.v4);
  if (answer.addresses.empty()) {
    answer.addresses = lookup.older;
    answer.status = absl::UnavailableError("no newer answer from the DNS yet");
  }
  if (answer.addresses.empty()) return;
  for (Caller& caller : lookup.callers) {
    if (std::exchange(caller.told, true) && !news) continue;
    caller.on_answer(answer);
  }
}

void NameResolver::Finish(const std::string& name) {
  const auto it = lookups_.find(name);
  const std::unique_ptr<Lookup> lookup = std::move(it->second);
  lookups_.erase(it);
  --in_flight_;
  loop_.Cancel(lookup->head_start);
  const absl::Time now = loop_.Now();
  NameAnswer answer{Interleave(lookup->v6, lookup->v4)};
  if (!answer.addresses.empty()) {
    cache_.Store(name, answer.addresses, lookup->ttl, now);
  } else if (answer.status = lookup->failure; absl::IsNotFound(answer.status)) {
    cache_.StoreMissing(name, answer.status, now);
  } else {
    cache_.StoreFailure(name, answer.status, now);
    answer.addresses = std::move(lookup->older);
  }
  for (Caller& caller : lookup->callers) caller.on_answer(answer);
  StartNext();
}

// A lookup in flight keeps the one that it began with.
std::shared_ptr<DnsChannel> NameResolver::Channel() {
  const absl::Time now = loop_.Now();
  if (!options_.servers.empty() || now < looked_at_conf_ + kLookAtConf) {
    return channel_;
  }
  looked_at_conf_ = now;
  struct stat conf = {};
  stat(kResolvConf, &conf);
  if (SameFile(conf, resolv_conf_)) return channel_;
  resolv_conf_ = conf;
  if (auto channel = DnsChannel::Create(loop_, ""); channel.ok()) {
    channel_ = *std::move(channel);
  }
  return channel_;
}

}  // namespace coord
