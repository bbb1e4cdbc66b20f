// The inside of Membership and Watch, which share one lock.
#ifndef SERVER_CORE_MEMBERSHIP_IMPL_H_
#define SERVER_CORE_MEMBERSHIP_IMPL_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/core/cluster_table.h"
#include "server/core/membership.h"

namespace coord {

struct Followed;

// One watcher. All but `wake` is guarded by the lock of Membership.
struct WatchState {
  WatchState(std::string_view type, std::string_view cluster_id,
             std::function<void()> wake)
      : type(type), cluster_id(cluster_id), wake(std::move(wake)) {}

  // Whether this is a cluster that was asked for.
  bool Wants(const ClusterIdentity& identity) const;
  void Wake();
  // Waits for a wake that runs on another thread; none runs after this.
  void Close();

  const std::string type;
  const std::string cluster_id;  // empty: whichever has the type

  Followed* followed = nullptr;     // nullptr: there is none yet
  std::int64_t revision = 0;        // the last that was delivered
  std::optional<ResetCause> reset;  // to be delivered first
  bool needs_snapshot = true;       // to be delivered next

  // Held over the callback, so that Close can wait, as the lock of Membership
  // never is. Recursive: a callback may drop the last reference to whoever owns
  // the watch.
  std::recursive_mutex wake_mutex;
  bool closed = false;  // guarded by wake_mutex
  const std::function<void()> wake;
};

using WatchStates = absl::flat_hash_set<std::shared_ptr<WatchState>>;

// A cluster and those who follow it.
struct Followed {
  Followed(const ClusterIdentity& identity, ClusterLedger& ledger,
           absl::Time now)
      : table(identity, ledger, now), told_revision(table.revision()) {}

  ClusterTable table;
  int watchers = 0;
  // The revision by which it is among the idle ones; nullopt: it is not.
  std::optional<std::int64_t> idle_since;
  WatchStates armed;  // had nothing, want to be woken
  // What watchers were last woken for.
  std::int64_t told_revision;
  bool told_empty = true;
};

// Watchers to be woken. Declared before the lock is taken, it does so after the
// lock was given back.
class PendingWakes {
 public:
  PendingWakes() = default;
  PendingWakes(const PendingWakes&) = delete;
  PendingWakes& operator=(const PendingWakes&) = delete;
  ~PendingWakes() {
    for (const auto& watcher : watchers_) watcher->Wake();
  }
  void Add(std::shared_ptr<WatchState> watcher) {
    watchers_.push_back(std::move(watcher));
  }

 private:
  std::vector<std::shared_ptr<WatchState>> watchers_;
};

class Membership::Impl {
 public:
  Impl(MembershipOptions options, std::string epoch)
      : options(options), epoch(std::move(epoch)), ledger(options.limits) {}

  // nullptr when there is none.
  Followed* Find(std::string_view cluster_id) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex);
  Followed& FindOrCreate(const ClusterIdentity& identity, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // As Membership::Snapshot.
  absl::StatusOr<Followed*> Resolve(std::string_view type,
                                    std::string_view cluster_id) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex);
  const HeldIds& HeldIn(std::string_view cluster_id) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex);

  // What has no servers, no watchers and no registration of ours is idle: it
  // may be dropped. To be called after each change of one of these.
  void Reconsider(Followed& followed) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // An idle one.
  void Drop(Followed& followed) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // After a change: whoever waits for it is to be woken.
  void Tell(Followed& followed, PendingWakes& wakes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // Of a new watcher: where it starts.
  absl::Status Start(WatchState& watcher, std::string_view resume_token)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  WatchEvent Next(const std::shared_ptr<WatchState>& watcher)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void Forget(const std::shared_ptr<WatchState>& watcher)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Empty when there is nothing to go on from.
  std::string TokenFor(const std::string& cluster_id,
                       std::int64_t revision) const;

  const MembershipOptions options;
  const std::string epoch;

  mutable absl::Mutex mutex;
  ClusterLedger ledger ABSL_GUARDED_BY(mutex);
  // By type and id.
  absl::btree_map<std::pair<std::string, std::string>,
                  std::unique_ptr<Followed>>
      clusters ABSL_GUARDED_BY(mutex);
  absl::flat_hash_map<std::string, Followed*> by_id ABSL_GUARDED_BY(mutex);
  // The idle ones, in the order of their last changes.
  absl::btree_set<std::pair<std::int64_t, Followed*>> idle
      ABSL_GUARDED_BY(mutex);
  absl::flat_hash_map<std::string, HeldIds> held ABSL_GUARDED_BY(mutex);
  std::size_t watchers ABSL_GUARDED_BY(mutex) = 0;
  // How many of them name a cluster by its id, by that.
  absl::flat_hash_map<std::string, int> watched_ids ABSL_GUARDED_BY(mutex);
  // Armed, and would rather follow another cluster.
  WatchStates roaming ABSL_GUARDED_BY(mutex);

 private:
  // Whether it would rather follow another cluster than the one it does.
  bool Roams(const WatchState& watcher) const;
  // Lets a watcher that roams follow what there is now; false: nothing better.
  bool Move(WatchState& watcher) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void Follow(WatchState& watcher, Followed& followed)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void Leave(Followed& followed) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  WatchEvent TakeSnapshot(WatchState& watcher)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
};

}  // namespace coord

#endif  // SERVER_CORE_MEMBERSHIP_IMPL_H_
