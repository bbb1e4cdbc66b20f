// The half of Membership that serves watchers.
#include <memory>
#include <mutex>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "server/core/membership.h"
#include "server/core/membership_impl.h"
#include "server/core/resume_token.h"

namespace coord {

bool WatchState::Wants(const ClusterIdentity& identity) const {
  return (cluster_id.empty() || cluster_id == identity.id) &&
         (type.empty() || type == identity.type);
}

void WatchState::Wake() {
  std::lock_guard lock(wake_mutex);
  if (!closed) wake();
}

void WatchState::Close() {
  std::lock_guard lock(wake_mutex);
  closed = true;
}

// --- under the lock
// ------------------------------------------------------------

absl::Status Membership::Impl::Start(WatchState& watcher,
                                     std::string_view resume_token) {
  const std::optional<ResumeToken> token = ParseResumeToken(resume_token);
  auto found = Resolve(watcher.type, watcher.cluster_id);
  if (HasReason(found.status(), Reason::kClusterAmbiguous)) {
    Followed* settled = token ? Find(token->cluster_id) : nullptr;
    if (settled == nullptr || !watcher.Wants(settled->table.identity())) {
      return found.status();
    }
    found = settled;
  }
  if (found.ok()) Follow(watcher, **found);
  if (resume_token.empty()) return absl::OkStatus();

  watcher.reset = ResetCause::kTokenExpired;
  if (!token) return absl::OkStatus();
  if (token->epoch != epoch) {
    watcher.reset = ResetCause::kOtherProcess;
  } else if (found.ok()) {
    const ClusterTable& table = (*found)->table;
    if (token->cluster_id == table.identity().id &&
        token->revision >= table.log_start() &&
        token->revision <= table.revision()) {
      watcher.reset = std::nullopt;
      watcher.needs_snapshot = false;
      watcher.revision = token->revision;
    }
  }
  return absl::OkStatus();
}

WatchEvent Membership::Impl::Next(const std::shared_ptr<WatchState>& watcher) {
  WatchState& at = *watcher;
  for (;;) {
    if (at.reset) {
      at.needs_snapshot = true;
      return {.kind = WatchEvent::Kind::kReset,
              .reset_cause = *std::exchange(at.reset, std::nullopt)};
    }
    if (at.needs_snapshot) return TakeSnapshot(at);
    if (at.followed != nullptr) {
      const ClusterTable& table = at.followed->table;
      if (at.revision < table.log_start()) {
        at.reset = ResetCause::kSlowWatcher;
        continue;
      }
      if (const LoggedChange* logged = table.ChangeAfter(at.revision)) {
        at.revision = logged->revision;
        return {.kind = WatchEvent::Kind::kChange,
                .change = logged->change,
                .cluster = table.identity(),
                .revision = logged->revision};
      }
    }
    if (Move(at)) continue;
    if (at.followed != nullptr) at.followed->armed.insert(watcher);
    if (Roams(at)) roaming.insert(watcher);
    return {};
  }
}

WatchEvent Membership::Impl::TakeSnapshot(WatchState& watcher) {
  Move(watcher);
  watcher.needs_snapshot = false;
  WatchEvent event{.kind = WatchEvent::Kind::kSnapshot};
  if (watcher.followed == nullptr) {
    event.revision = ledger.last_revision();
  } else {
    event.snapshot = watcher.followed->table.Snapshot();
    event.cluster = event.snapshot->identity;
    event.revision = event.snapshot->revision;
  }
  watcher.revision = event.revision;
  return event;
}

bool Membership::Impl::Roams(const WatchState& watcher) const {
  return watcher.followed == nullptr ||
         (watcher.cluster_id.empty() && watcher.followed->table.empty());
}

bool Membership::Impl::Move(WatchState& watcher) {
  if (!Roams(watcher)) return false;
  const auto found = Resolve(watcher.type, watcher.cluster_id);
  if (!found.ok() || *found == watcher.followed) return false;
  const ClusterTable& table = (*found)->table;
  if (watcher.followed != nullptr && table.empty()) return false;
  Follow(watcher, **found);
  if (watcher.needs_snapshot) return true;
  // It has seen no server that has not left: the new cluster's whole history
  // leads on from there, if there is all of it.
  if (table.birth() >= watcher.revision && table.log_start() == table.birth()) {
    watcher.revision = table.birth();
  } else {
    watcher.reset = ResetCause::kSlowWatcher;
  }
  return true;
}

void Membership::Impl::Follow(WatchState& watcher, Followed& followed) {
  if (watcher.followed != nullptr) Leave(*watcher.followed);
  watcher.followed = &followed;
  ++followed.watchers;
  Reconsider(followed);
}

void Membership::Impl::Leave(Followed& followed) {
  --followed.watchers;
  Reconsider(followed);
}

void Membership::Impl::Forget(const std::shared_ptr<WatchState>& watcher) {
  roaming.erase(watcher);
  if (watcher->followed != nullptr) {
    watcher->followed->armed.erase(watcher);
    Leave(*watcher->followed);
  }
  --watchers;
  const auto by_name = watched_ids.find(watcher->cluster_id);
  if (by_name != watched_ids.end() && --by_name->second == 0) {
    watched_ids.erase(by_name);
  }
}

std::string Membership::Impl::TokenFor(const std::string& cluster_id,
                                       std::int64_t revision) const {
  if (cluster_id.empty()) return "";
  return FormatResumeToken({epoch, cluster_id, revision});
}

// --- the public face
// -----------------------------------------------------------

absl::StatusOr<std::unique_ptr<Watch>> Membership::OpenWatch(
    std::string_view type, std::string_view cluster_id,
    std::string_view resume_token, std::function<void()> wake) {
  auto state = std::make_shared<WatchState>(type, cluster_id, std::move(wake));
  absl::MutexLock lock(&impl_->mutex);
  if (impl_->watchers >= impl_->options.max_watchers) {
    return LimitReached(Reason::kTooManyWatchers, "watch cluster",
                        "watchers are open", impl_->options.max_watchers,
                        "--max-watchers");
  }
  if (absl::Status status = impl_->Start(*state, resume_token); !status.ok()) {
    return status;
  }
  ++impl_->watchers;
  if (!cluster_id.empty()) ++impl_->watched_ids[state->cluster_id];
  return absl::WrapUnique(new Watch(*impl_, std::move(state)));
}

Watch::Watch(Membership::Impl& membership, std::shared_ptr<WatchState> state)
    : membership_(membership), state_(std::move(state)) {}

Watch::~Watch() {
  {
    absl::MutexLock lock(&membership_.mutex);
    membership_.Forget(state_);
  }
  state_->Close();
}

WatchEvent Watch::Next() {
  WatchEvent event;
  {
    absl::MutexLock lock(&membership_.mutex);
    event = membership_.Next(state_);
  }
  event.resume_token = membership_.TokenFor(event.cluster.id, event.revision);
  return event;
}

std::int64_t Watch::revision() const {
  absl::MutexLock lock(&membership_.mutex);
  return state_->revision;
}

std::string Watch::resume_token() const {
  absl::MutexLock lock(&membership_.mutex);
  if (state_->reset || state_->needs_snapshot || !state_->followed) return "";
  return membership_.TokenFor(state_->followed->table.identity().id,
                              state_->revision);
}

}  // namespace coord
