#include "server/core/cluster_table.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "common/text_view.h"

namespace coord {
namespace {

ServerPtr WithState(const ServerPtr& server, ServerState state) {
  if (server->state == state) return server;
  auto changed = std::make_shared<Server>(*server);
  changed->state = state;
  return changed;
}

ServerPtr WithNodeApi(const ServerPtr& server, NodeApi node_api) {
  if (server->node_api == node_api) return server;
  auto changed = std::make_shared<Server>(*server);
  changed->node_api = node_api;
  return changed;
}

// What the server that `known` is about has answered at the node API goes for
// `server` too: that it serves it, as long as it lives where it does; that it
// does not, as long as its record is the same.
ServerPtr WithNodeApiOf(const Server& known, const ServerPtr& server) {
  const bool holds =
      server->version == known.version || known.node_api == NodeApi::kYes;
  if (server->node_api != NodeApi::kUnknown || !holds ||
      server->cluster_base_url != known.cluster_base_url) {
    return server;
  }
  return WithNodeApi(server, known.node_api);
}

bool MayServeNodeApi(const Server& server) {
  return server.node_api != NodeApi::kNo;
}

// A list that names a server twice means the newer record.
absl::btree_map<std::string, ServerPtr> NewestById(
    std::vector<Server> servers) {
  absl::btree_map<std::string, ServerPtr> newest;
  for (Server& server : servers) {
    ServerPtr& known = newest[server.server_id];
    if (known == nullptr || server.update_time > known->update_time) {
      known = std::make_shared<const Server>(std::move(server));
    }
  }
  return newest;
}

}  // namespace

ClusterTable::ClusterTable(ClusterIdentity identity, ClusterLedger& ledger,
                           absl::Time now)
    : identity_(std::move(identity)),
      ledger_(ledger),
      birth_(ledger.last_revision()),
      revision_(birth_),
      update_time_(now),
      log_start_(birth_) {}

ClusterTable::~ClusterTable() {
  for (const LoggedChange& logged : log_) ledger_.DropChange(logged.revision);
  for (const auto& [id, tombstone] : tombstones_) {
    ledger_.DropTombstone(tombstone.said_at);
  }
  for (const auto& [id, member] : members_) ledger_.DropMember(*member.record);
}

void ClusterTable::SetPublicBaseUrl(const std::string& url) {
  if (identity_.public_base_url == url) return;
  identity_.public_base_url = url;
  snapshot_ = nullptr;
}

void ClusterTable::SetKnownAt(absl::Time known_at) {
  if (known_at_ == known_at) return;
  known_at_ = known_at;
  snapshot_ = nullptr;
}

void ClusterTable::Put(ServerPtr server, absl::Time now) {
  const std::string id = server->server_id;
  auto it = members_.find(id);
  if (it == members_.end()) {
    // One that comes back to its address serves there what it served.
    if (auto tombstone = tombstones_.find(id);
        tombstone != tombstones_.end() &&
        server->node_api == NodeApi::kUnknown &&
        server->cluster_base_url == tombstone->second.node_api_url) {
      server = WithNodeApi(server, NodeApi::kYes);
    }
    ForgetTombstone(id);
    Enter(*server);
    servers_.Put(server);
    addresses_.Add(server);
    const std::int64_t revision = Log(ChangeType::kJoined, server, now);
    members_.emplace(id, Member{std::move(server), revision});
    return;
  }
  Member& member = it->second;
  // What this process found out about a record holds as long as the record;
  // that it is draining, its authority knows best.
  if (server->version == member.record->version &&
      server->state != ServerState::kDraining) {
    server = WithState(server, member.record->state);
  }
  server = WithNodeApiOf(*member.record, server);
  if (*server == *member.record) return;
  member.said_at = Update(member, std::move(server), now);
}

void ClusterTable::Enter(const Server& record) {
  if (MayServeNodeApi(record)) ++node_api_members_;
  ledger_.AddMember(record);
}

void ClusterTable::Strike(const Server& record) {
  if (MayServeNodeApi(record)) --node_api_members_;
  ledger_.DropMember(record);
}

std::int64_t ClusterTable::Update(Member& member, ServerPtr record,
                                  absl::Time now) {
  Strike(*member.record);
  Enter(*record);
  servers_.Put(record);
  addresses_.Replace(member.record, record);
  member.record = std::move(record);
  return Log(ChangeType::kUpdated, member.record, now);
}

void ClusterTable::Remove(std::string_view server_id, ChangeType how,
                          absl::Time now) {
  auto it = members_.find(AbslView(server_id));
  if (it == members_.end()) return;
  ServerPtr last = std::move(it->second.record);
  members_.erase(it);
  Strike(*last);
  servers_.Erase(last->server_id);
  addresses_.Remove(last);
  const std::int64_t revision = Log(how, last, now);
  tombstones_.emplace(
      last->server_id,
      Tombstone{last->update_time, now, revision,
                last->node_api == NodeApi::kYes ? last->cluster_base_url : ""});
  ledger_.AddTombstone(revision, last->server_id, *this);
}

bool ClusterTable::RemoveRecord(std::string_view server_id,
                                const RecordVersion& version, ChangeType how,
                                absl::Time now) {
  auto it = members_.find(AbslView(server_id));
  if (it != members_.end() && it->second.record->version != version) {
    return false;
  }
  Remove(server_id, how, now);
  return true;
}

bool ClusterTable::SetState(std::string_view server_id,
                            const RecordVersion& version, ServerState state,
                            absl::Time now) {
  auto it = members_.find(AbslView(server_id));
  if (it == members_.end() || it->second.record->version != version) {
    return false;
  }
  Member& member = it->second;
  if (member.record->state == state) return true;
  Update(member, WithState(member.record, state), now);
  return true;
}

void ClusterTable::SetNodeApi(std::string_view server_id,
                              std::string_view base_url, NodeApi node_api,
                              absl::Time now) {
  auto it = members_.find(AbslView(server_id));
  if (it == members_.end()) return;
  Member& member = it->second;
  if (member.record->node_api != NodeApi::kUnknown ||
      member.record->cluster_base_url != base_url ||
      node_api == NodeApi::kUnknown) {
    return;
  }
  Update(member, WithNodeApi(member.record, node_api), now);
}

std::vector<std::string> ClusterTable::Replace(std::vector<Server> servers,
                                               std::int64_t mark,
                                               const HeldIds& held,
                                               absl::Time now) {
  const auto listed = NewestById(std::move(servers));
  std::vector<std::string> missing;
  std::vector<std::string> contested;
  for (const auto& [id, member] : members_) {
    if (listed.contains(id) || member.said_at > mark) continue;
    (held.contains(id) ? contested : missing).push_back(id);
  }
  for (const auto& [id, server] : listed) {
    if (!Outdated(*server, mark)) Put(server, now);
  }
  for (const std::string& id : missing) Remove(id, ChangeType::kLeft, now);
  return contested;
}

bool ClusterTable::Outdated(const Server& server, std::int64_t mark) const {
  if (auto it = members_.find(server.server_id); it != members_.end()) {
    const Member& member = it->second;
    return member.said_at > mark &&
           server.update_time <= member.record->update_time;
  }
  auto it = tombstones_.find(server.server_id);
  return it != tombstones_.end() && it->second.said_at > mark &&
         server.update_time <= it->second.date;
}

std::vector<std::string> ClusterTable::MergeJoin(
    const std::vector<Server>& servers, const HeldIds& held, absl::Time now,
    std::size_t& refused) {
  std::vector<std::string> contested;
  for (const Server& server : servers) {
    auto it = members_.find(server.server_id);
    const ServerPtr known = it == members_.end() ? nullptr : it->second.record;
    const bool newer =
        known != nullptr && server.update_time > known->update_time;
    if (held.contains(server.server_id)) {
      if (newer && server.cluster_base_url != known->cluster_base_url) {
        contested.push_back(server.server_id);
      }
      continue;
    }
    if (known != nullptr && !newer) continue;
    auto tombstone = tombstones_.find(server.server_id);
    if (tombstone != tombstones_.end() &&
        server.update_time <= tombstone->second.date) {
      continue;
    }
    if (known == nullptr && !ledger_.MayJoin(server)) {
      ++refused;
      continue;
    }
    Put(std::make_shared<const Server>(server), now);
  }
  return contested;
}

void ClusterTable::ForgetTombstone(const std::string& server_id) {
  const auto it = tombstones_.find(server_id);
  if (it == tombstones_.end()) return;
  ledger_.DropTombstone(it->second.said_at);
  tombstones_.erase(it);
}

void ClusterTable::ForgetOldestChange() {
  log_start_ = log_.front().revision;
  log_.pop_front();
  ledger_.DropChange(log_start_);
}

const SnapshotPtr& ClusterTable::Snapshot() {
  if (snapshot_ != nullptr) return snapshot_;
  auto snapshot = std::make_shared<ClusterSnapshot>();
  snapshot->identity = identity_;
  snapshot->revision = revision_;
  snapshot->update_time = update_time_;
  snapshot->known_at = known_at_;
  snapshot->servers = servers_;
  snapshot_ = std::move(snapshot);
  return snapshot_;
}

ServerPtr ClusterTable::Find(std::string_view server_id) const {
  return servers_.Find(server_id);
}

ClusterSummary ClusterTable::Summary() const {
  return {identity_, revision_,       update_time_,
          known_at_, members_.size(), node_api_members_};
}

const LoggedChange* ClusterTable::ChangeAfter(std::int64_t revision) const {
  const auto it = std::upper_bound(
      log_.begin(), log_.end(), revision,
      [](std::int64_t r, const LoggedChange& c) { return r < c.revision; });
  return it == log_.end() ? nullptr : &*it;
}

std::int64_t ClusterTable::Log(ChangeType type, ServerPtr server,
                               absl::Time now) {
  revision_ = ledger_.NextRevision();
  update_time_ = now;
  snapshot_ = nullptr;
  const Server& changed = *server;
  log_.push_back({revision_, {type, std::move(server)}});
  // Last: it may take any change out of the log, even this one.
  ledger_.AddChange(revision_, changed, *this);
  while (log_.size() > ledger_.limits().changes) ForgetOldestChange();
  return revision_;
}

}  // namespace coord
