#include "server/core/membership.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/error.h"
#include "common/text_view.h"
#include "server/core/membership_impl.h"

namespace coord {
namespace {

constexpr std::size_t kMaxIdsInMessage = 10;

absl::Status NotFound(std::string_view type, std::string_view cluster_id) {
  return MakeError(
      Reason::kClusterNotFound,
      cluster_id.empty() ? absl::StrCat("find cluster of type ", AbslView(type),
                                        ": none is known here")
                         : absl::StrCat("find cluster ", AbslView(cluster_id),
                                        type.empty() ? "" : " of type ",
                                        AbslView(type), ": none is known here"),
      {{"type", std::string(type)}, {"cluster_id", std::string(cluster_id)}});
}

absl::Status Ambiguous(std::string_view type,
                       const std::vector<Followed*>& candidates) {
  std::vector<std::string> ids;
  for (const Followed* followed : candidates) {
    if (ids.size() == kMaxIdsInMessage) {
      ids.back() = "...";
      break;
    }
    ids.push_back(followed->table.identity().id);
  }
  return MakeError(
      Reason::kClusterAmbiguous,
      absl::StrCat("find cluster of type ", AbslView(type), ": there are ",
                   candidates.size(),
                   ", name one by its cluster_id: ", absl::StrJoin(ids, ", ")),
      {{"type", std::string(type)}, {"cluster_ids", absl::StrJoin(ids, ",")}});
}

}  // namespace

// --- what every operation needs ----------------------------------------------

Followed* Membership::Impl::Find(std::string_view cluster_id) const {
  const auto it = by_id.find(AbslView(cluster_id));
  return it == by_id.end() ? nullptr : it->second;
}

Followed& Membership::Impl::FindOrCreate(const ClusterIdentity& identity,
                                         absl::Time now) {
  Followed* followed = Find(identity.id);
  if (followed == nullptr) {
    while (clusters.size() >= options.max_clusters && !idle.empty()) {
      Drop(*idle.begin()->second);
    }
    auto created = std::make_unique<Followed>(identity, ledger, now);
    followed = created.get();
    by_id.emplace(identity.id, followed);
    clusters.emplace(std::pair(identity.type, identity.id), std::move(created));
    Reconsider(*followed);
  }
  followed->table.SetPublicBaseUrl(identity.public_base_url);
  if (options.pushed) followed->table.SetKnownAt(absl::InfiniteFuture());
  return *followed;
}

void Membership::Impl::Reconsider(Followed& followed) {
  const bool is_idle = followed.table.empty() && followed.watchers == 0 &&
                       HeldIn(followed.table.identity().id).empty();
  const auto since =
      is_idle ? std::optional(followed.table.revision()) : std::nullopt;
  if (since == followed.idle_since) return;
  if (followed.idle_since) idle.erase({*followed.idle_since, &followed});
  if (since) idle.emplace(*since, &followed);
  followed.idle_since = since;
}

void Membership::Impl::Drop(Followed& followed) {
  idle.erase({*followed.idle_since, &followed});
  const ClusterIdentity identity = followed.table.identity();
  by_id.erase(identity.id);
  clusters.erase(std::pair(identity.type, identity.id));
}

absl::StatusOr<Followed*> Membership::Impl::Resolve(
    std::string_view type, std::string_view cluster_id) const {
  if (!cluster_id.empty()) {
    Followed* followed = Find(cluster_id);
    if (followed == nullptr ||
        (!type.empty() && followed->table.identity().type != type)) {
      return NotFound(type, cluster_id);
    }
    return followed;
  }
  std::vector<Followed*> with_servers;
  std::vector<Followed*> empty;
  for (auto it = clusters.lower_bound({std::string(type), ""});
       it != clusters.end() && it->first.first == type; ++it) {
    (it->second->table.empty() ? empty : with_servers)
        .push_back(it->second.get());
  }
  const auto& candidates = with_servers.empty() ? empty : with_servers;
  if (candidates.empty()) return NotFound(type, cluster_id);
  if (candidates.size() > 1) return Ambiguous(type, candidates);
  return candidates.front();
}

const HeldIds& Membership::Impl::HeldIn(std::string_view cluster_id) const {
  static const HeldIds& none = *new HeldIds;
  const auto it = held.find(AbslView(cluster_id));
  return it == held.end() ? none : it->second;
}

void Membership::Impl::Tell(Followed& followed, PendingWakes& wakes) {
  if (followed.told_revision == followed.table.revision()) return;
  followed.told_revision = followed.table.revision();
  Reconsider(followed);
  for (const auto& watcher : followed.armed) {
    roaming.erase(watcher);
    wakes.Add(watcher);
  }
  followed.armed.clear();

  const bool was_empty = followed.told_empty;
  followed.told_empty = followed.table.empty();
  if (was_empty == followed.told_empty) return;
  absl::erase_if(roaming, [&](const std::shared_ptr<WatchState>& watcher) {
    if (!watcher->Wants(followed.table.identity())) return false;
    if (watcher->followed != nullptr) watcher->followed->armed.erase(watcher);
    wakes.Add(watcher);
    return true;
  });
}

// --- the public face ---------------------------------------------------------

Membership::Membership(MembershipOptions options, std::string epoch)
    : impl_(std::make_unique<Impl>(options, std::move(epoch))) {}

Membership::~Membership() = default;

void Membership::Apply(const ClusterIdentity& cluster, const Change& change,
                       absl::Time now) {
  PendingWakes wakes;
  absl::MutexLock lock(&impl_->mutex);
  Followed& followed = impl_->FindOrCreate(cluster, now);
  if (change.type == ChangeType::kJoined ||
      change.type == ChangeType::kUpdated) {
    followed.table.Put(change.server, now);
  } else {
    followed.table.Remove(change.server->server_id, change.type, now);
  }
  impl_->Tell(followed, wakes);
}

std::int64_t Membership::Mark() const {
  absl::MutexLock lock(&impl_->mutex);
  return impl_->ledger.last_revision();
}

Membership::MergeOutcome Membership::Replace(const ClusterIdentity& cluster,
                                             std::vector<Server> servers,
                                             std::int64_t mark,
                                             absl::Time now) {
  PendingWakes wakes;
  absl::MutexLock lock(&impl_->mutex);
  Followed& followed = impl_->FindOrCreate(cluster, now);
  MergeOutcome outcome{
      .contested = followed.table.Replace(std::move(servers), mark,
                                          impl_->HeldIn(cluster.id), now)};
  impl_->Tell(followed, wakes);
  return outcome;
}

void Membership::Listed(std::string_view cluster_id, absl::Time asked) {
  absl::MutexLock lock(&impl_->mutex);
  Followed* followed = impl_->Find(cluster_id);
  if (followed == nullptr) return;
  followed->table.SetKnownAt(std::max(followed->table.known_at(), asked));
}

void Membership::Abandon(std::string_view cluster_id, absl::Time now) {
  PendingWakes wakes;
  absl::MutexLock lock(&impl_->mutex);
  Followed* followed = impl_->Find(cluster_id);
  if (followed == nullptr) return;
  followed->table.Replace({}, impl_->ledger.last_revision(),
                          impl_->HeldIn(cluster_id), now);
  followed->table.SetKnownAt(absl::InfinitePast());
  impl_->Tell(*followed, wakes);
}

Membership::MergeOutcome Membership::MergeJoin(
    std::string_view cluster_id, const std::vector<Server>& servers,
    absl::Time now) {
  PendingWakes wakes;
  absl::MutexLock lock(&impl_->mutex);
  Followed* followed = impl_->Find(cluster_id);
  if (followed == nullptr) return {.unknown_cluster = true};
  MergeOutcome outcome;
  outcome.contested = followed->table.MergeJoin(
      servers, impl_->HeldIn(cluster_id), now, outcome.refused);
  impl_->Tell(*followed, wakes);
  return outcome;
}

Membership::MergeOutcome Membership::MergeLeave(std::string_view cluster_id,
                                                std::string_view server_id,
                                                absl::Time now) {
  PendingWakes wakes;
  absl::MutexLock lock(&impl_->mutex);
  Followed* followed = impl_->Find(cluster_id);
  if (followed == nullptr) return {.unknown_cluster = true};
  if (impl_->HeldIn(cluster_id).contains(AbslView(server_id))) {
    return {.contested = {std::string(server_id)}};
  }
  followed->table.Remove(server_id, ChangeType::kLeft, now);
  impl_->Tell(*followed, wakes);
  return {};
}

void Membership::SetHeld(const ServerKey& key, bool held) {
  absl::MutexLock lock(&impl_->mutex);
  if (held) {
    impl_->held[key.cluster_id].insert(key.server_id);
  } else if (const auto it = impl_->held.find(key.cluster_id);
             it != impl_->held.end()) {
    it->second.erase(key.server_id);
    if (it->second.empty()) impl_->held.erase(it);
  }
  Followed* followed = impl_->Find(key.cluster_id);
  if (followed != nullptr) impl_->Reconsider(*followed);
}

void Membership::Remove(const ServerKey& key, ChangeType how, absl::Time now) {
  PendingWakes wakes;
  absl::MutexLock lock(&impl_->mutex);
  Followed* followed = impl_->Find(key.cluster_id);
  if (followed == nullptr) return;
  followed->table.Remove(key.server_id, how, now);
  impl_->Tell(*followed, wakes);
}

bool Membership::RemoveRecord(const ServerKey& key,
                              const RecordVersion& version, ChangeType how,
                              absl::Time now) {
  PendingWakes wakes;
  absl::MutexLock lock(&impl_->mutex);
  Followed* followed = impl_->Find(key.cluster_id);
  if (followed == nullptr) return true;
  const bool is_it =
      followed->table.RemoveRecord(key.server_id, version, how, now);
  impl_->Tell(*followed, wakes);
  return is_it;
}

bool Membership::SetState(const ServerKey& key, const RecordVersion& version,
                          ServerState state, absl::Time now) {
  PendingWakes wakes;
  absl::MutexLock lock(&impl_->mutex);
  Followed* followed = impl_->Find(key.cluster_id);
  if (followed == nullptr) return false;
  const bool set = followed->table.SetState(key.server_id, version, state, now);
  impl_->Tell(*followed, wakes);
  return set;
}

void Membership::SetNodeApi(std::string_view type, std::string_view server_id,
                            std::string_view base_url, NodeApi node_api,
                            absl::Time now) {
  PendingWakes wakes;
  absl::MutexLock lock(&impl_->mutex);
  for (auto it = impl_->clusters.lower_bound({std::string(type), ""});
       it != impl_->clusters.end() && it->first.first == type; ++it) {
    it->second->table.SetNodeApi(server_id, base_url, node_api, now);
    impl_->Tell(*it->second, wakes);
  }
}

bool Membership::Expire(absl::Time now, std::size_t most) {
  absl::MutexLock lock(&impl_->mutex);
  const absl::Time before = now - impl_->options.tombstone_life;
  const bool more = impl_->ledger.ExpireTombstones(before, most);
  for (std::size_t dropped = 0; !impl_->idle.empty(); ++dropped) {
    Followed& longest = *impl_->idle.begin()->second;
    if (longest.table.update_time() > before) return more;
    if (dropped == most) return true;
    impl_->Drop(longest);
  }
  return more;
}

absl::Status Membership::CheckRoom(const std::string& type,
                                   const std::string& public_base_url) const {
  absl::MutexLock lock(&impl_->mutex);
  const std::size_t in_use = impl_->clusters.size() - impl_->idle.size();
  if (in_use < impl_->options.max_clusters) return absl::OkStatus();
  for (auto it = impl_->clusters.lower_bound({type, ""});
       it != impl_->clusters.end() && it->first.first == type; ++it) {
    if (it->second->table.identity().public_base_url == public_base_url) {
      return absl::OkStatus();
    }
  }
  return LimitReached(Reason::kTooManyClusters,
                      "create cluster of type " + type, "clusters are in use",
                      impl_->options.max_clusters, "--max-clusters");
}

absl::StatusOr<SnapshotPtr> Membership::Snapshot(
    std::string_view type, std::string_view cluster_id) const {
  absl::MutexLock lock(&impl_->mutex);
  const auto followed = impl_->Resolve(type, cluster_id);
  if (!followed.ok()) return followed.status();
  return (*followed)->table.Snapshot();
}

absl::StatusOr<ClusterSummary> Membership::Summary(
    std::string_view type, std::string_view cluster_id) const {
  absl::MutexLock lock(&impl_->mutex);
  const auto followed = impl_->Resolve(type, cluster_id);
  if (!followed.ok()) return followed.status();
  ClusterSummary summary = (*followed)->table.Summary();
  summary.held =
      std::min(impl_->HeldIn(summary.identity.id).size(), summary.servers);
  return summary;
}

ServerPtr Membership::Find(const ServerKey& key) const {
  absl::MutexLock lock(&impl_->mutex);
  const Followed* followed = impl_->Find(key.cluster_id);
  return followed == nullptr ? nullptr : followed->table.Find(key.server_id);
}

std::vector<ServerPtr> Membership::OlderAtSameAddress(
    std::string_view cluster_id) const {
  absl::MutexLock lock(&impl_->mutex);
  const Followed* followed = impl_->Find(cluster_id);
  if (followed == nullptr) return {};
  return followed->table.OlderAtSameAddress();
}

std::vector<SnapshotPtr> Membership::List(std::string_view after_type,
                                          std::string_view after_id,
                                          std::size_t most) const {
  absl::MutexLock lock(&impl_->mutex);
  std::vector<SnapshotPtr> snapshots;
  for (auto it = impl_->clusters.upper_bound(
           {std::string(after_type), std::string(after_id)});
       it != impl_->clusters.end() && snapshots.size() < most; ++it) {
    snapshots.push_back(it->second->table.Snapshot());
  }
  return snapshots;
}

MembershipCounts Membership::Count() const {
  absl::MutexLock lock(&impl_->mutex);
  return {impl_->clusters.size(), impl_->ledger.members()};
}

bool Membership::IsWatched(std::string_view cluster_id) const {
  absl::MutexLock lock(&impl_->mutex);
  const Followed* followed = impl_->Find(cluster_id);
  return (followed != nullptr && followed->watchers > 0) ||
         impl_->watched_ids.contains(AbslView(cluster_id));
}

}  // namespace coord
