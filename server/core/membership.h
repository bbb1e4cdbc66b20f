// What this process knows of every cluster: one table per cluster id, fed by
// the authority and by announcements of peers, read by fan-outs and watchers.
// Pure: no I/O; time comes in as an argument.
#ifndef SERVER_CORE_MEMBERSHIP_H_
#define SERVER_CORE_MEMBERSHIP_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/core/cluster_ledger.h"
#include "server/core/server.h"

namespace coord {

class Watch;
struct WatchState;

struct MembershipOptions {
  // Whether the authority pushes every change, so that what is known here is
  // always true. Else it is true at the time that Listed says.
  bool pushed = true;
  // A leave is remembered this long, so that an older join can't undo it.
  absl::Duration tombstone_life = absl::Minutes(10);
  // Of what is remembered the oldest goes first. A watcher that lags behind
  // what is left of the changes is reset; so the memory that slow watchers cost
  // is bounded, however many they are.
  ClusterLimits limits;
  // Over it, those that have been empty for longest go first.
  std::size_t max_clusters = 10'000;
  std::size_t max_watchers = 20'000;
};

struct MembershipCounts {
  std::size_t clusters = 0;
  std::size_t servers = 0;
};

// Thread-safe. Watchers are woken after the lock was given back.
class Membership {
 public:
  // `epoch` tells the lives of processes apart in resume tokens.
  Membership(MembershipOptions options, std::string epoch);
  ~Membership();

  // --- fed by an authority -------------------------------------------------

  // A change that the authority pushed. Changes of one cluster come in order. A
  // join of a member is an update, an update of a stranger a join, a leave of a
  // stranger nothing; as everywhere here, what alters nothing is no change.
  void Apply(const ClusterIdentity& cluster, const Change& change,
             absl::Time now);

  // A point in the sequence of joins and leaves, to be taken before a request
  // is sent to the authority.
  std::int64_t Mark() const;

  struct MergeOutcome {
    // The cluster is none of ours: nothing changed, ask the authority.
    bool unknown_cluster = false;
    // Servers that only this peer speaks of, and for which there is no room.
    std::size_t refused = 0;
    // Held registrations whose owner must look: see below.
    std::vector<std::string> contested;
  };

  // The authority's whole list, in answer to a request sent at `mark`. Replaces
  // the table, except for servers that joined, changed or left after that by
  // what anybody else said: of those the list counts only if its record is
  // strictly newer. A held registration that was known and is missing stays and
  // is contested. Never an unknown_cluster.
  MergeOutcome Replace(const ClusterIdentity& cluster,
                       std::vector<Server> servers, std::int64_t mark,
                       absl::Time now);

  // The list that Replace brought was asked for at `asked` (EventLoop::Now):
  // what is known of the cluster is as old as that, unless another is younger.
  void Listed(std::string_view cluster_id, absl::Time asked);

  // Nobody will tell of changes any more: the cluster is emptied, and what is
  // known of it is infinitely old.
  void Abandon(std::string_view cluster_id, absl::Time now);

  // --- fed by peers ----------------------------------------------------------

  // The list that came with a peer's join. For each server the strictly newer
  // update_time wins, no date is the oldest; not newer than a tombstone:
  // ignored. A held registration is never changed; it is contested where the
  // list has a newer record of it at another address. That it is missing means
  // nothing: the peer may have asked before it registered.
  MergeOutcome MergeJoin(std::string_view cluster_id,
                         const std::vector<Server>& servers, absl::Time now);

  // A peer's leave: removes the server and leaves a tombstone of its date. A
  // held registration stays and is contested.
  MergeOutcome MergeLeave(std::string_view cluster_id,
                          std::string_view server_id, absl::Time now);

  // --- fed by this process ---------------------------------------------------

  // Marks a server as registered by this process, or no longer.
  void SetHeld(const ServerKey& key, bool held);

  // Removes a server and leaves a tombstone of its date. Not found: nothing.
  void Remove(const ServerKey& key, ChangeType how, absl::Time now);
  // The same, unless there is a record of another version by now: then false.
  bool RemoveRecord(const ServerKey& key, const RecordVersion& version,
                    ChangeType how, absl::Time now);

  // Marks a server ACTIVE, SUSPECTED or DRAINING without the authority;
  // survives until the record is replaced by one of another version, or by one
  // that is itself DRAINING. False: the record is no longer the one with
  // `version`.
  bool SetState(const ServerKey& key, const RecordVersion& version,
                ServerState state, absl::Time now);

  // What a server answered at the node API below `base_url`, in every cluster
  // of `type`; where it was said before, or the server lives elsewhere by now,
  // it changes nothing.
  void SetNodeApi(std::string_view type, std::string_view server_id,
                  std::string_view base_url, NodeApi node_api, absl::Time now);

  // Drops tombstones that are too old, and clusters that have been empty as
  // long, are not watched and hold no registration of ours; `most` of each at
  // the most. To be called now and then, and again at once while it is true:
  // there was more.
  bool Expire(absl::Time now,
              std::size_t most = std::numeric_limits<std::size_t>::max());

  // Whether a server of this type and URL has a cluster or may found one, for
  // whoever holds the authority itself. Errors: RESOURCE_EXHAUSTED ·
  // TOO_MANY_CLUSTERS.
  absl::Status CheckRoom(const std::string& type,
                         const std::string& public_base_url) const;

  // --- read ------------------------------------------------------------------

  // The cluster of `type`, or the one with `cluster_id` (whose type must agree;
  // an empty type agrees). A cluster with servers is preferred over empty ones.
  // Errors: NOT_FOUND · CLUSTER_NOT_FOUND, FAILED_PRECONDITION ·
  // CLUSTER_AMBIGUOUS (the message names the ids).
  absl::StatusOr<SnapshotPtr> Snapshot(std::string_view type,
                                       std::string_view cluster_id) const;

  // The same, but only in numbers.
  absl::StatusOr<ClusterSummary> Summary(std::string_view type,
                                         std::string_view cluster_id) const;

  // The server as it is known now; nullptr: it is no member.
  ServerPtr Find(const ServerKey& key) const;

  // The members that share the address of one with a newer record: both can't
  // be true.
  std::vector<ServerPtr> OlderAtSameAddress(std::string_view cluster_id) const;

  // `most` clusters at the most, by type and id, from the first one behind
  // these; all without arguments.
  std::vector<SnapshotPtr> List(
      std::string_view after_type = "", std::string_view after_id = "",
      std::size_t most = std::numeric_limits<std::size_t>::max()) const;
  MembershipCounts Count() const;

  // Whether somebody watches the cluster, or waits for one with this id.
  bool IsWatched(std::string_view cluster_id) const;

  // Follows one cluster; one that does not exist yet is followed from its
  // birth. Without a `cluster_id`, a watcher whose cluster is empty goes on
  // with another of its type, when that is the only one with servers. `wake` is
  // called, from any thread and never inside Next or OpenWatch, when Next may
  // have something after it had nothing; it must be quick and must not call
  // back into this class. An empty token starts with a snapshot; one that can't
  // be honoured, with a reset. Errors: CLUSTER_AMBIGUOUS (unless the token
  // settles it), RESOURCE_EXHAUSTED · TOO_MANY_WATCHERS.
  absl::StatusOr<std::unique_ptr<Watch>> OpenWatch(
      std::string_view type, std::string_view cluster_id,
      std::string_view resume_token, std::function<void()> wake);

 private:
  friend class Watch;
  class Impl;
  std::unique_ptr<Impl> impl_;
};

enum class ResetCause { kSlowWatcher, kTokenExpired, kOtherProcess };

struct WatchEvent {
  enum class Kind {
    kNothing,   // wait for `wake`
    kReset,     // what was delivered no longer counts; a snapshot follows
    kSnapshot,  // `snapshot`; nullptr while the cluster does not exist
    kChange,    // `change`, which led to `revision`
  };
  Kind kind = Kind::kNothing;
  ResetCause reset_cause = ResetCause::kSlowWatcher;
  SnapshotPtr snapshot;
  Change change;
  ClusterIdentity cluster;
  std::int64_t revision = 0;
  // Of kSnapshot and kChange: go on after this. Empty while there is no
  // cluster.
  std::string resume_token;
};

// One watcher's place in the history of a cluster. Ordered, no gap, no
// duplicate. For one thread at a time; destroy it before its Membership.
class Watch {
 public:
  // Waits for a `wake` that runs on another thread; none is called after that.
  // So hold no lock here that `wake` takes. Inside `wake` itself it is fine.
  ~Watch();
  // The next event; kNothing arms `wake`.
  WatchEvent Next();
  // Where this watcher stands now: what was delivered last. The token is empty
  // before the first snapshot.
  std::int64_t revision() const;
  std::string resume_token() const;

 private:
  friend class Membership;

  Watch(Membership::Impl& membership, std::shared_ptr<WatchState> state);
  Membership::Impl& membership_;
  std::shared_ptr<WatchState> state_;
};

}  // namespace coord

#endif  // SERVER_CORE_MEMBERSHIP_H_
