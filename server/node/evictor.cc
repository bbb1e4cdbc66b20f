#include "server/node/evictor.h"

#include <spdlog/spdlog.h>

#include <utility>
#include <variant>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/log.h"
#include "server/core/eviction_rules.h"

namespace coord {

class Evictor::Impl : public std::enable_shared_from_this<Evictor::Impl> {
 public:
  Impl(EventLoop& loop, Registry& registry, Registrar& registrar,
       Membership& membership, Peers& peers, EvictionObserver& observer,
       EvictorOptions options)
      : loop_(loop),
        registry_(registry),
        registrar_(registrar),
        membership_(membership),
        peers_(peers),
        observer_(observer),
        options_(options),
        history_(options.quiet) {}

  void Suspect(const ClusterIdentity& cluster, const ServerPtr& server);
  void Evict(const std::string& type, const std::string& cluster_id,
             const std::string& server_id, const RecordVersion& seen,
             absl::AnyInvocable<void(absl::StatusOr<ServerPtr>) &&> done);

 private:
  // One suspicion being looked into.
  struct Case {
    ClusterIdentity cluster;
    ServerPtr server;
    absl::Time since;        // the evidence is no older
    absl::Status refreshed;  // what the authority said to begin with
    int probes = 0;
    std::string why;  // the last probe failed

    ServerKey key() const { return {cluster.id, server->server_id}; }
  };
  using CasePtr = std::shared_ptr<Case>;
  using RemovalDone =
      absl::AnyInvocable<void(Impl&, absl::StatusOr<Removal>) &&>;

  void Investigate(const CasePtr& suspect);
  void Probe(const CasePtr& suspect);
  void OnProbed(const CasePtr& suspect, bool alive, std::string why);
  void Convict(const CasePtr& suspect);
  std::string WhyKept(const Case& suspect) const;
  void OnRemoval(const CasePtr& suspect, absl::StatusOr<Removal> removal);
  void ConvictOlderAtSameAddress(const ClusterSnapshot& cluster);

  void Clear(const Case& suspect);
  void Keep(const Case& suspect, const std::string& why);
  void Close(const Case& suspect) { cases_.erase(suspect.key()); }

  ServerPtr Current(const ServerKey& key) const;
  bool Replaced(const Case& suspect) const;
  void Remove(const ClusterIdentity& cluster, const ServerPtr& server,
              absl::Time since, RemovalDone done);
  void TakeRemoval(const ClusterIdentity& cluster, const ServerPtr& server,
                   const Removal& removal);

  EventLoop& loop_;
  Registry& registry_;
  Registrar& registrar_;
  Membership& membership_;
  Peers& peers_;
  EvictionObserver& observer_;
  const EvictorOptions options_;
  EvictionHistory history_;
  absl::flat_hash_map<ServerKey, CasePtr> cases_;
};

// --- a suspicion, from the first doubt to its end ----------------------------

void Evictor::Impl::Suspect(const ClusterIdentity& cluster,
                            const ServerPtr& server) {
  auto suspect = std::make_shared<Case>(Case{cluster, server, loop_.Now()});
  if (cases_.contains(suspect->key()) ||
      cases_.size() >= options_.max_workers || Replaced(*suspect)) {
    return;
  }
  cases_.emplace(suspect->key(), suspect);
  observer_.OnSuspected();
  registrar_.Refresh(cluster.id,
                     [weak = weak_from_this(), suspect](absl::Status status) {
                       auto self = weak.lock();
                       if (self == nullptr) return;
                       suspect->refreshed = std::move(status);
                       self->Investigate(suspect);
                     });
}

void Evictor::Impl::Investigate(const CasePtr& suspect) {
  // The refresh may have renewed the suspect itself, which says nothing about
  // its life.
  if (const ServerPtr current = Current(suspect->key());
      current != nullptr && registrar_.Holds(suspect->key()) &&
      current->cluster_base_url == suspect->server->cluster_base_url) {
    suspect->server = current;
  }
  const auto cluster = membership_.Snapshot("", suspect->cluster.id);
  if (cluster.ok()) ConvictOlderAtSameAddress(**cluster);
  // It may have been one of those.
  if (auto it = cases_.find(suspect->key());
      it != cases_.end() && it->second == suspect) {
    Probe(suspect);
  }
}

void Evictor::Impl::Probe(const CasePtr& suspect) {
  if (Replaced(*suspect)) {
    Clear(*suspect);
    return;
  }
  ++suspect->probes;
  peers_.Probe(*suspect->server,
               [weak = weak_from_this(), suspect](bool alive, std::string why) {
                 if (auto self = weak.lock()) {
                   self->OnProbed(suspect, alive, std::move(why));
                 }
               });
}

void Evictor::Impl::OnProbed(const CasePtr& suspect, bool alive,
                             std::string why) {
  if (alive) {
    Clear(*suspect);
    return;
  }
  suspect->why = std::move(why);
  if (suspect->probes >= options_.probes) {
    Convict(suspect);
    return;
  }
  loop_.RunAfter(options_.probe_pause, [weak = weak_from_this(), suspect] {
    if (auto self = weak.lock()) self->Probe(suspect);
  });
}

void Evictor::Impl::Convict(const CasePtr& suspect) {
  if (Replaced(*suspect)) {
    Clear(*suspect);
    return;
  }
  const std::string why_kept = WhyKept(*suspect);
  if (!why_kept.empty()) {
    Keep(*suspect, why_kept);
    return;
  }
  Remove(suspect->cluster, suspect->server, suspect->since,
         [suspect](Impl& self, absl::StatusOr<Removal> removal) {
           self.OnRemoval(suspect, std::move(removal));
         });
}

// Asked before every removal that rests on probes: what speaks against it.
std::string Evictor::Impl::WhyKept(const Case& suspect) const {
  if (!suspect.refreshed.ok()) return std::string(suspect.refreshed.message());
  if (!history_.MayEvict(*suspect.server, loop_.Now())) {
    return "it was evicted not long ago";
  }
  return "";
}

void Evictor::Impl::OnRemoval(const CasePtr& suspect,
                              absl::StatusOr<Removal> removal) {
  if (!removal.ok()) {
    Keep(*suspect, std::string(removal.status().message()));
    return;
  }
  TakeRemoval(suspect->cluster, suspect->server, *removal);
  if (std::holds_alternative<NewerRecord>(*removal)) {
    Clear(*suspect);
    return;
  }
  observer_.OnEvicted();
  spdlog::warn("evicted a dead server{}",
               Fields({{"type", suspect->cluster.type},
                       {"server_id", suspect->server->server_id},
                       {"error", suspect->why}}));
  Close(*suspect);
}

// Only one of two records with one address can be true, and a probe of the
// older would be answered by the newer. Those held here end with their
// sessions.
void Evictor::Impl::ConvictOlderAtSameAddress(const ClusterSnapshot& cluster) {
  for (const ServerPtr& server : OlderAtSameAddress(cluster)) {
    const ServerKey key{cluster.identity.id, server->server_id};
    if (registrar_.Holds(key)) continue;
    CasePtr& known = cases_[key];
    if (known != nullptr && known->probes > 0) continue;
    const absl::Status refreshed =
        known != nullptr ? known->refreshed : absl::OkStatus();
    known = std::make_shared<Case>(Case{cluster.identity, server, loop_.Now(),
                                        refreshed, options_.probes,
                                        "a newer server lives at its address"});
    Convict(CasePtr(known));
  }
}

void Evictor::Impl::Clear(const Case& suspect) {
  observer_.OnCleared();
  const ServerPtr current = Current(suspect.key());
  if (current != nullptr && current->state == ServerState::kSuspected) {
    membership_.SetState(suspect.key(), current->version, ServerState::kActive,
                         loop_.WallTime());
  }
  Close(suspect);
}

void Evictor::Impl::Keep(const Case& suspect, const std::string& why) {
  observer_.OnKept();
  spdlog::warn("a server looks dead, but stays{}",
               Fields({{"type", suspect.cluster.type},
                       {"server_id", suspect.server->server_id},
                       {"error", suspect.why},
                       {"because", why}}));
  membership_.SetState(suspect.key(), suspect.server->version,
                       ServerState::kSuspected, loop_.WallTime());
  Close(suspect);
}

// --- removals, by evidence or by hand ----------------------------------------

ServerPtr Evictor::Impl::Current(const ServerKey& key) const {
  const auto cluster = membership_.Snapshot("", key.cluster_id);
  return cluster.ok() ? (*cluster)->Find(key.server_id) : nullptr;
}

// The doubt was about a record that is no longer there.
bool Evictor::Impl::Replaced(const Case& suspect) const {
  const ServerPtr current = Current(suspect.key());
  return current == nullptr || current->version != suspect.server->version ||
         current->cluster_base_url != suspect.server->cluster_base_url;
}

void Evictor::Impl::Remove(const ClusterIdentity& cluster,
                           const ServerPtr& server, absl::Time since,
                           RemovalDone done) {
  registry_.Remove(
      {cluster.id, server->server_id}, cluster.type, {server->version, since},
      PostedTo(loop_, [weak = weak_from_this(), done = std::move(done)](
                          absl::StatusOr<Removal> removal) mutable {
        if (auto self = weak.lock()) std::move(done)(*self, std::move(removal));
      }));
}

void Evictor::Impl::TakeRemoval(const ClusterIdentity& cluster,
                                const ServerPtr& server,
                                const Removal& removal) {
  const absl::Time now = loop_.WallTime();
  if (const auto* newer = std::get_if<NewerRecord>(&removal)) {
    if (registry_.PushesChanges()) return;
    membership_.Apply(
        cluster,
        {ChangeType::kUpdated, std::make_shared<const Server>(newer->record)},
        now);
    return;
  }
  const ServerKey key{cluster.id, server->server_id};
  history_.Expire(loop_.Now());
  history_.Evicted(*server, loop_.Now());
  membership_.Remove(key, ChangeType::kEvicted, now);
  registrar_.Contested(key);
  const auto rest = membership_.Snapshot("", cluster.id);
  if (!rest.ok()) return;
  peers_.AnnounceLeave(**rest, server->server_id, [](AnnouncementResult) {});
}

void Evictor::Impl::Evict(
    const std::string& type, const std::string& cluster_id,
    const std::string& server_id, const RecordVersion& seen,
    absl::AnyInvocable<void(absl::StatusOr<ServerPtr>) &&> done) {
  const std::string action = absl::StrCat("evict ", type, "/", server_id, ": ");
  const auto cluster = membership_.Snapshot(type, cluster_id);
  if (!cluster.ok() && !HasReason(cluster.status(), Reason::kClusterNotFound)) {
    std::move(done)(cluster.status());
    return;
  }
  const ServerPtr server = cluster.ok() ? (*cluster)->Find(server_id) : nullptr;
  if (seen.text.empty()) {
    std::move(done)(InvalidField("etag", "is required"));
  } else if (server == nullptr) {
    std::move(done)(
        MakeError(Reason::kServerNotFound, action + "it is not known here"));
  } else if (server->version != seen) {
    std::move(done)(MakeError(Reason::kEtagMismatch,
                              action + "the record is another by now"));
  } else {
    Remove((*cluster)->identity, server, absl::InfiniteFuture(),
           [identity = (*cluster)->identity, server, action,
            done = std::move(done)](Impl& self,
                                    absl::StatusOr<Removal> removal) mutable {
             if (!removal.ok()) {
               std::move(done)(removal.status());
               return;
             }
             self.TakeRemoval(identity, server, *removal);
             if (std::holds_alternative<NewerRecord>(*removal)) {
               std::move(done)(MakeError(Reason::kEtagMismatch,
                                         action + "a newer record stands"));
               return;
             }
             std::move(done)(server);
           });
  }
}

Evictor::Evictor(EventLoop& loop, Registry& registry, Registrar& registrar,
                 Membership& membership, Peers& peers,
                 EvictionObserver& observer, EvictorOptions options)
    : loop_(loop),
      impl_(std::make_shared<Impl>(loop, registry, registrar, membership, peers,
                                   observer, options)) {}

Evictor::~Evictor() = default;

void Evictor::Suspect(const ClusterIdentity& cluster, const ServerPtr& server) {
  loop_.Post(
      [impl = impl_, cluster, server] { impl->Suspect(cluster, server); });
}

void Evictor::Evict(
    std::string type, std::string cluster_id, std::string server_id,
    RecordVersion seen,
    absl::AnyInvocable<void(absl::StatusOr<ServerPtr>) &&> done) {
  loop_.Post([impl = impl_, type = std::move(type),
              cluster_id = std::move(cluster_id),
              server_id = std::move(server_id), seen = std::move(seen),
              done = std::move(done)]() mutable {
    impl->Evict(type, cluster_id, server_id, seen, std::move(done));
  });
}

}  // namespace coord
