#include "server/node/self_doubt.h"

#include <spdlog/spdlog.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/text_view.h"

namespace coord {

SelfDoubt::SelfDoubt(EventLoop& loop, const Membership& membership,
                     std::function<void(bool active)> changed,
                     std::function<std::string()> near_limits,
                     SelfPreservationOptions options)
    : loop_(loop),
      membership_(membership),
      changed_(std::move(changed)),
      near_limits_(std::move(near_limits)),
      doubt_(options) {}

void SelfDoubt::Failed(const ServerKey& key, bool held, std::string_view why) {
  last_failure_ = absl::StrCat(AbslView(key.server_id), ": ", AbslView(why));
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
  const std::string cause = active ? Describe(*doubt_.suspicion()) : "";
  {
    absl::MutexLock lock(&mutex_);
    cause_ = cause;
  }
  if (changed_) changed_(active);
  if (active) {
    spdlog::warn("this process suspects itself and evicts slowly{}",
                 Fields({{"cause", cause}}));
  } else {
    spdlog::info("this process suspects itself no longer");
  }
}

std::string SelfDoubt::Describe(const SelfSuspicion& suspicion) const {
  std::string cause = absl::StrCat(suspicion.failing);
  if (suspicion.cluster_id.empty()) {
    absl::StrAppend(&cause, " servers of all clusters");
  } else {
    const auto cluster = membership_.Summary("", suspicion.cluster_id);
    absl::StrAppend(
        &cause, " of ", suspicion.of, " servers of ",
        cluster.ok() ? cluster->identity.type : suspicion.cluster_id,
        suspicion.elsewhere ? " that others registered" : "");
  }
  const std::string near = near_limits_ ? near_limits_() : "";
  return absl::StrCat(cause, " fail their probes; the last is ", last_failure_,
                      "; ",
                      near.empty() ? "no limit of this clusterd is near"
                                   : absl::StrCat("near its limits: ", near));
}

std::string SelfDoubt::Cause() const {
  absl::MutexLock lock(&mutex_);
  return cause_;
}

}  // namespace coord
