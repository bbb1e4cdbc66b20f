#include "server/node/list_ages.h"

namespace coord {

Knowledge ListAges::Judge(const ClusterSnapshot& cluster) {
  const absl::Time now = loop_.Now();
  const absl::Duration age = AgeOf(cluster.known_at, now);
  const bool stale = age > max_age_;
  if (stale) Refresh(cluster.identity.id, now);
  return {age, stale, doubt_.active()};
}

void ListAges::Refresh(const std::string& cluster_id, absl::Time now) {
  const absl::Time before = now - max_age_;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = asked_.find(cluster_id);
    if (it != asked_.end() && it->second > before) return;
    absl::erase_if(
        asked_, [before](const auto& each) { return each.second <= before; });
    asked_.emplace(cluster_id, now);
  }
  loop_.Post([&registrar = registrar_, cluster_id] {
    registrar.Refresh(cluster_id, [](const absl::Status&) {});
  });
}

}  // namespace coord
