#include "server/registry/cluster_roster.h"

#include <utility>

#include "common/error.h"
#include "common/ids.h"

namespace coord {
namespace {

// So that one transaction never takes long.
constexpr std::size_t kMostAtOnce = 256;

}  // namespace

absl::StatusOr<std::string> ClusterRoster::FindOrCreate(
    const std::string& type, const std::string& public_base_url,
    Forgotten& forgotten) {
  const auto it = ids_.find(TypeAndUrl(type, public_base_url));
  if (it != ids_.end()) return it->second;
  absl::StatusOr<std::string> found =
      tables_.FindCluster(type, public_base_url);
  if (!found.ok() || !found->empty()) return found;
  absl::Status room = MakeRoom(type, forgotten);
  if (!room.ok()) return room;
  const std::string id = RandomUuid(random_);
  absl::Status inserted = tables_.InsertCluster({id, type, public_base_url});
  if (!inserted.ok()) return inserted;
  return id;
}

absl::Status ClusterRoster::MakeRoom(const std::string& type,
                                     Forgotten& forgotten) {
  const absl::StatusOr<std::size_t> count = tables_.CountClusters();
  if (!count.ok()) return count.status();
  if (*count < max_clusters_) return absl::OkStatus();
  // More than one where the limit was higher in an earlier life.
  const std::size_t surplus = *count - max_clusters_ + 1;
  auto empty = Forgettable(absl::InfiniteFuture(), surplus + kMostAtOnce);
  if (empty.ok() && empty->size() < surplus) {
    empty = Forgettable(absl::InfiniteFuture(), *count);
  }
  if (!empty.ok()) return empty.status();
  if (empty->size() < surplus) {
    return LimitReached(Reason::kTooManyClusters,
                        "create cluster of type " + type, "clusters are in use",
                        max_clusters_, "--max-clusters");
  }
  empty->resize(surplus);
  return Delete(*std::move(empty), forgotten);
}

absl::Status ClusterRoster::ForgetEmpty(absl::Time before,
                                        Forgotten& forgotten) {
  auto empty = Forgettable(before, kMostAtOnce);
  if (!empty.ok()) return empty.status();
  return Delete(*std::move(empty), forgotten);
}

absl::StatusOr<ClusterRoster::Forgotten> ClusterRoster::Forgettable(
    absl::Time before, std::size_t most) {
  auto empty = tables_.EmptyClusters(before, most);
  if (empty.ok() && is_watched_) {
    std::erase_if(*empty, [this](const ClusterIdentity& cluster) {
      return is_watched_(cluster.id);
    });
  }
  return empty;
}

absl::Status ClusterRoster::Delete(Forgotten clusters, Forgotten& forgotten) {
  for (ClusterIdentity& cluster : clusters) {
    absl::Status deleted = tables_.DeleteCluster(cluster.id);
    if (!deleted.ok()) return deleted;
    Forget(cluster);
    forgotten.push_back(std::move(cluster));
  }
  return absl::OkStatus();
}

void ClusterRoster::Note(const ClusterIdentity& cluster) {
  ids_.try_emplace(TypeAndUrl(cluster.type, cluster.public_base_url),
                   cluster.id);
}

void ClusterRoster::Forget(const Forgotten& forgotten) {
  for (const ClusterIdentity& cluster : forgotten) Forget(cluster);
}

void ClusterRoster::Forget(const ClusterIdentity& cluster) {
  const auto it = ids_.find(TypeAndUrl(cluster.type, cluster.public_base_url));
  if (it != ids_.end() && it->second == cluster.id) ids_.erase(it);
}

}  // namespace coord
