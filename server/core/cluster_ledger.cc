#include "server/core/cluster_ledger.h"

#include "server/core/cluster_table.h"

namespace coord {

void ClusterLedger::AddChange(std::int64_t revision, const Server& server,
                              ClusterTable& table) {
  const std::size_t bytes = sizeof(LoggedChange) + BytesOf(server);
  changes_.emplace_hint(changes_.end(), revision, Logged{&table, bytes});
  change_bytes_ += bytes;
  while (change_bytes_ > limits_.change_bytes) {
    changes_.begin()->second.table->ForgetOldestChange();
  }
}

void ClusterLedger::DropChange(std::int64_t revision) {
  const auto it = changes_.find(revision);
  change_bytes_ -= it->second.bytes;
  changes_.erase(it);
}

void ClusterLedger::AddTombstone(std::int64_t revision,
                                 const std::string& server_id,
                                 ClusterTable& table) {
  tombstones_.emplace_hint(tombstones_.end(), revision,
                           Buried{&table, server_id});
  while (tombstones_.size() > limits_.tombstones) {
    const Buried& oldest = tombstones_.begin()->second;
    oldest.table->ForgetTombstone(std::string(oldest.server_id));
  }
}

void ClusterLedger::DropTombstone(std::int64_t revision) {
  tombstones_.erase(revision);
}

bool ClusterLedger::ExpireTombstones(absl::Time before, std::size_t most) {
  for (std::size_t forgotten = 0; !tombstones_.empty(); ++forgotten) {
    const Buried& oldest = tombstones_.begin()->second;
    if (oldest.table->LeftAt(oldest.server_id) > before) return false;
    if (forgotten == most) return true;
    oldest.table->ForgetTombstone(std::string(oldest.server_id));
  }
  return false;
}

void ClusterLedger::AddMember(const Server& server) {
  ++members_;
  member_bytes_ += BytesOf(server);
}

void ClusterLedger::DropMember(const Server& server) {
  --members_;
  member_bytes_ -= BytesOf(server);
}

bool ClusterLedger::MayJoin(const Server& server) const {
  return member_bytes_ + BytesOf(server) <= limits_.member_bytes;
}

}  // namespace coord
