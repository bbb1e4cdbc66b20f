// Sessions: which incarnation of which server is current, and until when it
// lives without being heard from. Pure.
#ifndef SERVER_NODE_SESSION_TABLE_H_
#define SERVER_NODE_SESSION_TABLE_H_

#include <cstddef>
#include <deque>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/core/lease_table.h"
#include "server/node/registration_key.h"

namespace coord {

// Not thread-safe.
class SessionTable {
 public:
  // Superseded sessions beyond this many are forgotten, oldest first, and then
  // no longer told from those that are over.
  explicit SessionTable(std::size_t max_superseded = 10'000)
      : max_superseded_(max_superseded) {}

  // Opens a session, or changes the ttl of an open one; it lives for a full ttl
  // from `now`, without a ttl for ever.
  void Open(const std::string& session_id, RegistrationKey key,
            std::optional<absl::Duration> ttl, absl::Time now);
  // Opens a session of an earlier life of this process. One with a ttl does not
  // expire before StartResumed.
  void Resume(const std::string& session_id, RegistrationKey key,
              std::optional<absl::Duration> ttl);
  // Callers can reach this process from `now` on: each session that was resumed
  // lives for its ttl, and for `grace` at the least, unless it was heard from.
  // Starts `most` at the most; whether there are more.
  bool StartResumed(absl::Duration grace, absl::Time now,
                    std::size_t most = std::numeric_limits<std::size_t>::max());
  // It is over: asked for, it is LEASE_EXPIRED from now on.
  void Close(const std::string& session_id);
  // The same, but remembered as SESSION_SUPERSEDED.
  void Supersede(const std::string& session_id);
  // Undoes Supersede; to be followed by Open.
  void Reinstate(const std::string& session_id);

  // Gives the session a full ttl from `now`; its length, infinite for one
  // without. Errors: NOT_FOUND · LEASE_EXPIRED, FAILED_PRECONDITION ·
  // SESSION_SUPERSEDED.
  absl::StatusOr<absl::Duration> Touch(const std::string& session_id,
                                       absl::Time now);
  // nullptr when there is no such session. Valid until the next change.
  const RegistrationKey* Find(const std::string& session_id) const;
  // Why there is no such session: one of the errors of Touch. LEASE_EXPIRED is
  // said of all that this table knows nothing of: over, forgotten, of an
  // earlier life that left nothing, or of another clusterd.
  absl::Status WhyClosed(const std::string& session_id) const;

  // Closes sessions that were not heard from in time, `most` at the most.
  // Nobody was silent while this process did not run: each has a full ttl from
  // `standstill`, its end.
  struct Expired {
    std::string session_id;
    RegistrationKey key;
    absl::Duration ttl;
  };
  std::vector<Expired> TakeExpired(
      absl::Time now, absl::Time standstill = absl::InfinitePast(),
      std::size_t most = std::numeric_limits<std::size_t>::max());
  // No session expires before; see LeaseTable.
  absl::Time NextCheck() const { return leases_.NextCheck(); }

 private:
  struct Session {
    RegistrationKey key;
    std::optional<absl::Duration> ttl;
  };

  const std::size_t max_superseded_;
  // Ordered, as all maps of thousands on the loop: growing never holds it up.
  absl::btree_map<std::string, Session> sessions_;
  LeaseTable<std::string> leases_;
  std::vector<std::string> resumed_;  // until StartResumed
  absl::flat_hash_set<std::string> superseded_;
  std::deque<std::string> superseded_order_;
};

}  // namespace coord

#endif  // SERVER_NODE_SESSION_TABLE_H_
