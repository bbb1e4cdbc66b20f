// What happens to registrations without their callers: sessions that end,
// lists that arrive, claims of peers, and the end of the process.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "common/error.h"
#include "common/log.h"
#include "server/node/registrar_impl.h"

namespace coord {
namespace {

// Removals in flight at the end of the process.
constexpr int kMaxFinalRemovals = 256;
// Sessions, or registrations, that are gone through before others have their
// turn on the loop.
constexpr std::size_t kSlice = 500;
constexpr std::size_t kMaxEndedAtOnce = 50;

}  // namespace

void Registrar::Impl::StartResumed(absl::Time since) {
  const bool more =
      sessions_.StartResumed(context_.options.resume_grace, since, kSlice);
  ArmSessionTimer();
  if (!more || stopping_) return;
  context_.loop.Post([weak = weak_from_this(), since] {
    if (auto self = weak.lock()) self->StartResumed(since);
  });
}

void Registrar::Impl::ArmSessionTimer() {
  const absl::Time due = sessions_.NextCheck();
  if (due >= session_check_ || stopping_) return;
  session_check_ = due;
  context_.loop.Cancel(session_timer_);
  session_timer_ = context_.loop.RunAfter(due - context_.loop.Now(),
                                          [weak = weak_from_this()] {
                                            if (auto self = weak.lock())
                                              self->CheckSessions();
                                          });
}

void Registrar::Impl::CheckSessions() {
  session_check_ = absl::InfiniteFuture();
  EndSilentSessions(context_.loop.Now());
  ArmSessionTimer();
}

// What callers said while this process did not run waits to be read: nobody was
// silent then.
void Registrar::Impl::EndSilentSessions(absl::Time now) {
  const absl::Time standstill = context_.options.last_standstill();
  for (const SessionTable::Expired& expired :
       sessions_.TakeExpired(now, standstill, kMaxEndedAtOnce)) {
    const RegistrationPtr registration = registrations_.at(expired.key);
    spdlog::warn("a session was not kept alive{}",
                 Fields({{"type", expired.key.type},
                         {"server_id", expired.key.server_id},
                         {"ttl", absl::FormatDuration(expired.ttl)}}));
    registration->Remove(RemovalCause::kSilent, now - expired.ttl,
                         [](const auto&) {});
  }
}

void Registrar::Impl::AskAuthority(const std::string& cluster_id,
                                   Refresher::Done done) {
  if (context_.registry.PushesChanges()) {
    context_.loop.Post(
        [done = std::move(done)]() mutable { std::move(done)({}); });
    return;
  }
  if (auto it = clusters_.find(cluster_id); it != clusters_.end()) {
    for (const auto& [id, registration] : it->second) {
      if (!registration->renewable() || !registration->heard_lately()) continue;
      registration->Renew(std::move(done));
      return;
    }
  }
  absl::Status status =
      MakeError(Reason::kNotRegistered, "refresh cluster " + cluster_id +
                                            ": no server of it that lives is "
                                            "held here");
  context_.loop.Post(
      [done = std::move(done), status]() mutable { std::move(done)(status); });
}

Registrar::Impl::RegistrationPtr Registrar::Impl::Held(
    const ServerKey& key) const {
  auto cluster = clusters_.find(key.cluster_id);
  if (cluster == clusters_.end()) return nullptr;
  auto it = cluster->second.find(key.server_id);
  return it == cluster->second.end() ? nullptr : it->second;
}

void Registrar::Impl::Contested(const ServerKey& key, Claim claim) {
  if (const RegistrationPtr held = Held(key)) held->Contest(claim);
}

std::optional<Server> Registrar::Impl::ProbeTarget(const ServerKey& key) const {
  const RegistrationPtr held = Held(key);
  if (held == nullptr) return std::nullopt;
  return held->ProbeTarget();
}

void Registrar::Impl::OnClusterChanged(Registration& registration,
                                       const std::string& left) {
  const std::string& id = registration.incarnation().server.server_id;
  Forget(left, id);
  clusters_[registration.cluster_id()][id] = registration.shared_from_this();
}

void Registrar::Impl::Forget(const std::string& cluster_id,
                             const std::string& server_id) {
  auto it = clusters_.find(cluster_id);
  if (it == clusters_.end()) return;
  it->second.erase(server_id);
  if (!it->second.empty()) return;
  clusters_.erase(it);
  if (!context_.registry.PushesChanges()) {
    context_.membership.Abandon(cluster_id, context_.loop.WallTime());
  }
}

// What the authority had acknowledged before it was asked, and no longer lists,
// was removed by somebody.
void Registrar::Impl::OnMissing(const std::string& cluster_id,
                                const std::vector<std::string>& server_ids,
                                absl::Time asked) {
  for (const std::string& server_id : server_ids) {
    const RegistrationPtr held = Held({cluster_id, server_id});
    if (held != nullptr && held->acknowledged() < asked) {
      held->Contest(Claim::kNotListed);
    }
  }
}

void Registrar::Impl::OnForgotten(Registration& registration,
                                  absl::Time since) {
  sessions_.Close(registration.incarnation().session_id);
  registration.Remove(RemovalCause::kForgotten, since, [](const auto&) {});
}

void Registrar::Impl::OnEnded(Registration& registration) {
  const auto keep_alive = registration.shared_from_this();
  registration.Halt();
  // Where its caller, or its silence, has not ended it before.
  sessions_.Close(registration.incarnation().session_id);
  registrations_.erase(registration.key());
  count_ = registrations_.size();
  Forget(registration.cluster_id(),
         registration.incarnation().server.server_id);
}

struct Registrar::Impl::Shutdown {
  std::vector<RegistrationPtr> left;
  int in_flight = 0;
  absl::AnyInvocable<void() &&> done;
};

void Registrar::Impl::Stop(bool unregister, absl::Duration timeout,
                           absl::AnyInvocable<void() &&> done) {
  stopping_ = true;
  context_.loop.Cancel(std::exchange(session_timer_, kNoTimer));
  for (const auto& [key, registration] : registrations_) {
    registration->EndWaiting(/*kept=*/!unregister);
  }
  if (!unregister) {
    std::move(done)();
    return;
  }
  auto shutdown = std::make_shared<Shutdown>();
  shutdown->done = std::move(done);
  for (const auto& [key, registration] : registrations_) {
    shutdown->left.push_back(registration);
  }
  context_.loop.RunAfter(timeout, [weak = weak_from_this(), shutdown] {
    auto self = weak.lock();
    if (self == nullptr || !shutdown->done) return;
    spdlog::warn("stopped before every server was unregistered");
    shutdown->left.clear();
    std::move(std::exchange(shutdown->done, nullptr))();
  });
  UnregisterMore(shutdown);
}

void Registrar::Impl::UnregisterMore(
    const std::shared_ptr<Shutdown>& shutdown) {
  while (!shutdown->left.empty() && shutdown->in_flight < kMaxFinalRemovals) {
    const RegistrationPtr registration = std::move(shutdown->left.back());
    shutdown->left.pop_back();
    if (!registrations_.contains(registration->key())) continue;
    ++shutdown->in_flight;
    sessions_.Close(registration->incarnation().session_id);
    registration->Remove(RemovalCause::kStopping, context_.loop.Now(),
                         Guarded([shutdown](Impl& self, const auto&) {
                           --shutdown->in_flight;
                           self.UnregisterMore(shutdown);
                         }));
  }
  if (shutdown->in_flight == 0 && shutdown->done) {
    std::move(std::exchange(shutdown->done, nullptr))();
  }
}

}  // namespace coord
