#include "server/node/session_table.h"

#include <algorithm>
#include <utility>

#include "common/error.h"

namespace coord {

void SessionTable::Open(const std::string& session_id, RegistrationKey key,
                        std::optional<absl::Duration> ttl, absl::Time now) {
  sessions_[session_id] = {std::move(key), ttl};
  if (ttl) {
    leases_.Grant(session_id, now + *ttl);
  } else {
    leases_.Release(session_id);
  }
}

void SessionTable::Resume(const std::string& session_id, RegistrationKey key,
                          std::optional<absl::Duration> ttl) {
  sessions_[session_id] = {std::move(key), ttl};
  if (ttl) resumed_.push_back(session_id);
}

bool SessionTable::StartResumed(absl::Duration grace, absl::Time now,
                                std::size_t most) {
  for (; !resumed_.empty() && most > 0; --most) {
    const std::string session_id = std::move(resumed_.back());
    resumed_.pop_back();
    auto it = sessions_.find(session_id);
    const bool over = it == sessions_.end() || !it->second.ttl;
    if (over || leases_.ExpiryOf(session_id)) continue;
    leases_.Grant(session_id, now + std::max(*it->second.ttl, grace));
  }
  return !resumed_.empty();
}

void SessionTable::Close(const std::string& session_id) {
  sessions_.erase(session_id);
  leases_.Release(session_id);
}

void SessionTable::Supersede(const std::string& session_id) {
  Close(session_id);
  if (!superseded_.insert(session_id).second) return;
  superseded_order_.push_back(session_id);
  if (superseded_order_.size() > max_superseded_) {
    superseded_.erase(superseded_order_.front());
    superseded_order_.pop_front();
  }
}

void SessionTable::Reinstate(const std::string& session_id) {
  superseded_.erase(session_id);
}

absl::StatusOr<absl::Duration> SessionTable::Touch(
    const std::string& session_id, absl::Time now) {
  auto it = sessions_.find(session_id);
  if (it == sessions_.end()) return WhyClosed(session_id);
  if (!it->second.ttl) return absl::InfiniteDuration();
  leases_.Grant(session_id, now + *it->second.ttl);
  return *it->second.ttl;
}

const RegistrationKey* SessionTable::Find(const std::string& session_id) const {
  auto it = sessions_.find(session_id);
  return it == sessions_.end() ? nullptr : &it->second.key;
}

absl::Status SessionTable::WhyClosed(const std::string& session_id) const {
  if (superseded_.contains(session_id)) {
    return MakeError(Reason::kSessionSuperseded,
                     "use session: a newer incarnation of this server was "
                     "registered");
  }
  return MakeError(Reason::kLeaseExpired,
                   "use session: it is over, or was never opened here; "
                   "register again");
}

std::vector<SessionTable::Expired> SessionTable::TakeExpired(
    absl::Time now, absl::Time standstill, std::size_t most) {
  std::vector<Expired> expired;
  for (std::string& session_id : leases_.TakeExpired(now, most)) {
    auto it = sessions_.find(session_id);
    if (standstill + *it->second.ttl > now) {
      leases_.Grant(session_id, standstill + *it->second.ttl);
      continue;
    }
    expired.push_back(
        {std::move(session_id), std::move(it->second.key), *it->second.ttl});
    sessions_.erase(it);
  }
  return expired;
}

}  // namespace coord
