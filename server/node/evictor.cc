#include "server/node/evictor.h"

#include <spdlog/spdlog.h>

#include <utility>
#include <variant>

#include "common/backoff.h"
#include "common/log.h"
#include "common/text_view.h"
#include "server/node/evictor_impl.h"

namespace coord {
namespace {

constexpr double kLookAgainJitter = 0.1;

}  // namespace

Evictor::Impl::Impl(EventLoop& loop, Registry& registry, Registrar& registrar,
                    Membership& membership, Peers& peers, SelfDoubt& doubt,
                    EvictionObserver& observer, EvictorOptions options)
    : loop_(loop),
      registry_(registry),
      registrar_(registrar),
      membership_(membership),
      peers_(peers),
      doubt_(doubt),
      observer_(observer),
      options_(options),
      history_(options.quiet) {}

// --- a look: refresh the list, probe, judge ----------------------------------

void Evictor::Impl::Suspect(const ClusterIdentity& cluster,
                            const ServerPtr& server) {
  auto suspect = std::make_shared<Case>(Case{cluster, server, loop_.Now()});
  if (cases_.contains(suspect->key()) ||
      cases_.size() >= options_.max_workers || Replaced(*suspect)) {
    return;
  }
  cases_.emplace(suspect->key(), suspect);
  observer_.OnSuspected();
  Refresh(suspect, &Impl::Investigate);
}

void Evictor::Impl::Refresh(const CasePtr& suspect,
                            void (Impl::*next)(const CasePtr&)) {
  registrar_.Refresh(suspect->cluster.id, [weak = weak_from_this(), suspect,
                                           next](absl::Status status) {
    auto self = weak.lock();
    if (self == nullptr || !self->Current(suspect)) return;
    suspect->refreshed = std::move(status);
    (*self.*next)(suspect);
  });
}

void Evictor::Impl::Investigate(const CasePtr& suspect) {
  ConvictOlderAtSameAddress(*suspect);
  // It may have been one of those.
  if (Current(suspect)) Probe(suspect);
}

void Evictor::Impl::Probe(const CasePtr& suspect) {
  FollowOwnRenewal(*suspect);
  if (Replaced(*suspect)) {
    Clear(*suspect);
    return;
  }
  ++suspect->probes;
  // No news is no answer: it fails while a new probe may take its time.
  if (suspect->failed) MarkFailed(*suspect);
  peers_.Probe(*suspect->server,
               [weak = weak_from_this(), suspect](ProbeResult result) {
                 if (auto self = weak.lock()) {
                   self->OnProbed(suspect, std::move(result));
                 }
               });
}

void Evictor::Impl::OnProbed(const CasePtr& suspect, ProbeResult result) {
  if (result.alive) {
    Clear(*suspect);
    return;
  }
  suspect->failed = true;
  suspect->why = std::move(result.why);
  MarkFailed(*suspect);
  if (suspect->probes >= options_.probes) {
    Convict(suspect);
    return;
  }
  loop_.RunAfter(options_.probe_pause, [weak = weak_from_this(), suspect] {
    if (auto self = weak.lock()) self->Probe(suspect);
  });
}

void Evictor::Impl::Convict(const CasePtr& suspect) {
  FollowOwnRenewal(*suspect);
  if (Replaced(*suspect)) {
    Clear(*suspect);
  } else if (!history_.MayEvict(*suspect->server, loop_.Now())) {
    Keep(suspect, "it was evicted not long ago", options_.look_again);
  } else if (!suspect->superseded && !doubt_.MayRemove(suspect->key())) {
    HoldBack(suspect);
  } else if (!suspect->refreshed) {
    Refresh(suspect, &Impl::Convict);
  } else if (!suspect->refreshed->ok()) {
    Keep(suspect, StdView(suspect->refreshed->message()),
         options_.authority_retry);
  } else {
    doubt_.Removing();
    Remove(suspect->cluster, suspect->server, suspect->since,
           [suspect](Impl& self, absl::StatusOr<Removal> removal) {
             self.OnRemoval(suspect, std::move(removal));
           });
  }
}

void Evictor::Impl::OnRemoval(const CasePtr& suspect,
                              absl::StatusOr<Removal> removal) {
  if (!removal.ok()) {
    Keep(suspect, StdView(removal.status().message()),
         options_.authority_retry);
    return;
  }
  TakeRemoval(suspect->cluster, suspect->server, *removal, Claim::kEvicted);
  if (std::holds_alternative<NewerRecord>(*removal)) {
    Clear(*suspect);
    return;
  }
  observer_.OnEvicted(suspect->superseded ? EvictionCause::kSameAddress
                                          : EvictionCause::kUnreachable);
  spdlog::warn("evicted a server{}",
               Fields({{"type", suspect->cluster.type},
                       {"server_id", suspect->server->server_id},
                       {"cause", suspect->why}}));
  Close(*suspect);
}

// Only one of two records with one address can be true, and a probe of the
// older would be answered by the newer. Those held here end with their
// sessions.
void Evictor::Impl::ConvictOlderAtSameAddress(const Case& suspect) {
  for (const ServerPtr& server :
       membership_.OlderAtSameAddress(suspect.cluster.id)) {
    const ServerKey key{suspect.cluster.id, server->server_id};
    if (registrar_.Holds(key)) continue;
    if (!cases_.contains(key) && cases_.size() >= options_.max_workers) return;
    CasePtr& known = cases_[key];
    if (known != nullptr && known->probes > 0) continue;
    if (known == nullptr) observer_.OnSuspected();
    // A new one, so that what an earlier look still waits for comes to nothing.
    known = std::make_shared<Case>(known != nullptr ? *known : Case{});
    known->cluster = suspect.cluster;
    known->server = server;
    known->since = loop_.Now();
    known->refreshed = suspect.refreshed;
    known->probes = options_.probes;
    known->superseded = true;
    known->why = "a newer server lives at its address";
    Convict(CasePtr(known));
  }
}

// --- how a look ends ---------------------------------------------------------

void Evictor::Impl::Clear(const Case& suspect) {
  observer_.OnCleared();
  const ServerPtr member = membership_.Find(suspect.key());
  if (member != nullptr && member->state == ServerState::kSuspected) {
    membership_.SetState(suspect.key(), member->version, ServerState::kActive,
                         loop_.WallTime());
  }
  Close(suspect);
}

void Evictor::Impl::Keep(const CasePtr& suspect, std::string_view why,
                         absl::Duration look_again) {
  if (!std::exchange(suspect->kept, true)) {
    observer_.OnKept();
    spdlog::warn("a server should be evicted, but stays{}",
                 Fields({{"type", suspect->cluster.type},
                         {"server_id", suspect->server->server_id},
                         {"cause", suspect->why},
                         {"because", why}}));
  }
  Stay(suspect, look_again);
}

// Many share this fate, and one line has told of it.
void Evictor::Impl::HoldBack(const CasePtr& suspect) {
  if (!std::exchange(suspect->held_back, true)) {
    observer_.OnHeldBack();
    spdlog::debug("self-preservation holds an eviction back{}",
                  Fields({{"type", suspect->cluster.type},
                          {"server_id", suspect->server->server_id},
                          {"cause", suspect->why}}));
  }
  Stay(suspect, options_.look_again);
}

void Evictor::Impl::Stay(const CasePtr& suspect, absl::Duration look_again) {
  const ServerPtr member = membership_.Find(suspect->key());
  // One that is draining gets no calls as it is.
  if (member != nullptr && member->state == ServerState::kActive) {
    membership_.SetState(suspect->key(), suspect->server->version,
                         ServerState::kSuspected, loop_.WallTime());
  }
  LookAgainLater(suspect, look_again);
}

void Evictor::Impl::LookAgainLater(const CasePtr& suspect,
                                   absl::Duration wait) {
  loop_.RunAfter(Jitter(wait, kLookAgainJitter, random_),
                 [weak = weak_from_this(), suspect] {
                   auto self = weak.lock();
                   if (self == nullptr || !self->Current(suspect)) return;
                   suspect->since = self->loop_.Now();
                   suspect->refreshed.reset();
                   suspect->probes = 0;
                   suspect->superseded = false;
                   self->Investigate(suspect);
                 });
}

void Evictor::Impl::Close(const Case& suspect) {
  const ServerKey key = suspect.key();
  cases_.erase(key);
  doubt_.Settled(key);
}

// --- what a look rests on ----------------------------------------------------

// A renewal of our own says nothing about the life of the server.
void Evictor::Impl::FollowOwnRenewal(Case& suspect) const {
  const ServerPtr member = membership_.Find(suspect.key());
  if (member != nullptr && registrar_.Holds(suspect.key()) &&
      member->cluster_base_url == suspect.server->cluster_base_url) {
    suspect.server = member;
  }
}

// The doubt was about a record that is no longer there.
bool Evictor::Impl::Replaced(const Case& suspect) const {
  const ServerPtr member = membership_.Find(suspect.key());
  return member == nullptr || member->version != suspect.server->version ||
         member->cluster_base_url != suspect.server->cluster_base_url;
}

bool Evictor::Impl::Current(const CasePtr& suspect) const {
  const auto it = cases_.find(suspect->key());
  return it != cases_.end() && it->second == suspect;
}

void Evictor::Impl::MarkFailed(const Case& suspect) {
  doubt_.Failed(suspect.key(), registrar_.Holds(suspect.key()), suspect.why);
}

// --- the public face ---------------------------------------------------------

Evictor::Evictor(EventLoop& loop, Registry& registry, Registrar& registrar,
                 Membership& membership, Peers& peers, SelfDoubt& doubt,
                 EvictionObserver& observer, EvictorOptions options)
    : loop_(loop),
      impl_(std::make_shared<Impl>(loop, registry, registrar, membership, peers,
                                   doubt, observer, options)) {}

Evictor::~Evictor() = default;

void Evictor::Suspect(const ClusterIdentity& cluster, const ServerPtr& server) {
  loop_.Post(
      [impl = impl_, cluster, server] { impl->Suspect(cluster, server); });
}

void Evictor::Nameless(const ServerPtr& server) {
  loop_.Post([impl = impl_, server] { impl->Nameless(*server); });
}

void Evictor::Evict(
    EvictCommand command,
    absl::AnyInvocable<void(absl::StatusOr<EvictAnswer>) &&> done) {
  loop_.Post([impl = impl_, command = std::move(command),
              done = std::move(done)]() mutable {
    impl->Evict(std::move(command), std::move(done));
  });
}

void Evictor::Stop() {
  loop_.Post([impl = impl_] { impl->Stop(); });
}

}  // namespace coord
