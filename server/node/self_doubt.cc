#include "server/node/self_doubt.h"

#include <spdlog/spdlog.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log.h"

namespace coord {

SelfDoubt::SelfDoubt(EventLoop& loop, const Membership& membership,
                     std::function<void(bool active)> changed,
                     SelfPreservationOptions options)
    : loop_(loop),
      membership_(membership),
      changed_(std::move(changed)),
      doubt_(options) {}

void SelfDoubt::Failed(const ServerKey& key, bool held) {
  doubt_.Failed(key, held, loop_.Now());
  Judge();
}

void SelfDoubt::Settled(const ServerKey& key) {
  if (doubt_.Settled(key)) Judge();
}

bool SelfDoubt::MayRemove(const ServerKey& key) const {
  return doubt_.MayEvict(key, loop_.Now());
}

void SelfDoubt::Removing() { doubt_.Evicting(loop_.Now()); }

void SelfDoubt::Judge() {
  const bool active = doubt_.Judge(
      [this](const std::string& cluster_id) -> ClusterSize {
        const auto cluster = membership_.Summary("", cluster_id);
        if (!cluster.ok()) return {};
        return {cluster->servers, cluster->held};
      },
      loop_.Now());
  if (active == active_) return;
  active_ = active;
  if (changed_) changed_(active);
  if (active) {
    spdlog::warn(
        "so many servers fail their probes that this process suspects itself{}",
        Fields({{"failing", absl::StrCat(doubt_.failing())}}));
  } else {
    spdlog::info("this process suspects itself no longer");
  }
}

}  // namespace coord
