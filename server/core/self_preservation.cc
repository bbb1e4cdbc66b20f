#include "server/core/self_preservation.h"

#include <algorithm>

namespace coord {
namespace {

bool Alarming(std::size_t failing, std::size_t of) {
  return failing >= 2 && 2 * failing > of;
}

}  // namespace

void SelfPreservation::Failed(const ServerKey& key, bool held, absl::Time now) {
  const auto [it, first] = failing_[key.cluster_id].try_emplace(
      key.server_id, Failing{now, now, held});
  if (first) ++failing_count_;
  it->second.last = now;
  it->second.held = held;
}

bool SelfPreservation::Settled(const ServerKey& key) {
  const auto cluster = failing_.find(key.cluster_id);
  if (cluster == failing_.end()) return false;
  const std::size_t settled = cluster->second.erase(key.server_id);
  failing_count_ -= settled;
  if (cluster->second.empty()) failing_.erase(cluster);
  return settled > 0;
}

bool SelfPreservation::Judge(
    absl::FunctionRef<ClusterSize(const std::string& cluster_id)> size,
    absl::Time now) {
  suspicion_.reset();
  // Many failing ones are not counted anew each time.
  if (failing_count_ >= options_.crowd) {
    suspicion_ = SelfSuspicion{.failing = failing_count_};
    return true;
  }
  for (const auto& [cluster_id, failing] : failing_) {
    suspicion_ = Suspect(failing, size(cluster_id), now);
    if (!suspicion_) continue;
    suspicion_->cluster_id = cluster_id;
    break;
  }
  return active();
}

std::optional<SelfSuspicion> SelfPreservation::Suspect(
    const FailingById& failing, ClusterSize size, absl::Time now) const {
  std::size_t all = 0;
  std::size_t elsewhere = 0;
  for (const auto& [id, server] : failing) {
    if (now - server.last > options_.window) continue;
    ++all;
    if (!server.held) ++elsewhere;
  }
  const std::size_t others = size.servers - std::min(size.held, size.servers);
  if (Alarming(all, size.servers)) {
    return SelfSuspicion{.failing = all, .of = size.servers};
  }
  if (Alarming(elsewhere, others)) {
    return SelfSuspicion{.failing = elsewhere, .of = others, .elsewhere = true};
  }
  return std::nullopt;
}

bool SelfPreservation::MayEvict(const ServerKey& key, absl::Time now) const {
  if (!active()) return true;
  if (now - last_eviction_ < options_.pace) return false;
  const auto cluster = failing_.find(key.cluster_id);
  if (cluster == failing_.end()) return false;
  const auto server = cluster->second.find(key.server_id);
  return server != cluster->second.end() &&
         now - server->second.since >= options_.patience;
}

}  // namespace coord
