// One cluster as this process knows it: members, what left lately, and the
// changes that led here.
#ifndef SERVER_CORE_CLUSTER_TABLE_H_
#define SERVER_CORE_CLUSTER_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "server/core/address_index.h"
#include "server/core/cluster_ledger.h"
#include "server/core/server.h"

namespace coord {

// The server_ids of a cluster that this process registered.
using HeldIds = absl::btree_set<std::string>;

struct LoggedChange {
  std::int64_t revision;
  Change change;
};

// Every change takes the next number of a counter that all clusters of a
// process share, so that a revision is never used twice, not even by a cluster
// that was dropped and came back. What alters nothing is no change. Not
// thread-safe; the rules are those of Membership.
class ClusterTable {
 public:
  // `ledger` counts the changes, limits what is remembered of them, and must
  // outlive it.
  ClusterTable(ClusterIdentity identity, ClusterLedger& ledger, absl::Time now);
  ~ClusterTable();
  ClusterTable(const ClusterTable&) = delete;
  ClusterTable& operator=(const ClusterTable&) = delete;

  // --- changes ---------------------------------------------------------------

  // The authority may move a cluster to another URL; an id keeps its type.
  void SetPublicBaseUrl(const std::string& url);
  // See Membership::Listed; no change of the members.
  void SetKnownAt(absl::Time known_at);
  // Joins or updates, whatever was known before.
  void Put(ServerPtr server, absl::Time now);
  // Absent: nothing.
  void Remove(std::string_view server_id, ChangeType how, absl::Time now);
  // False, and nothing: it is a member of another version.
  bool RemoveRecord(std::string_view server_id, const RecordVersion& version,
                    ChangeType how, absl::Time now);
  // False: absent or of another version.
  bool SetState(std::string_view server_id, const RecordVersion& version,
                ServerState state, absl::Time now);
  // Where it was unknown and the server lives at `base_url`.
  void SetNodeApi(std::string_view server_id, std::string_view base_url,
                  NodeApi node_api, absl::Time now);
  // Both return the held ids that are contested.
  std::vector<std::string> Replace(std::vector<Server> servers,
                                   std::int64_t mark, const HeldIds& held,
                                   absl::Time now);
  // `refused` counts those for which there is no room.
  std::vector<std::string> MergeJoin(const std::vector<Server>& servers,
                                     const HeldIds& held, absl::Time now,
                                     std::size_t& refused);
  // --- what the ledger wants -------------------------------------------------

  // There must be one.
  void ForgetOldestChange();
  // When one that has a tombstone left.
  absl::Time LeftAt(const std::string& server_id) const {
    return tombstones_.at(server_id).left_at;
  }
  void ForgetTombstone(const std::string& server_id);

  // --- what is ---------------------------------------------------------------

  const ClusterIdentity& identity() const { return identity_; }
  bool empty() const { return members_.empty(); }
  absl::Time update_time() const { return update_time_; }
  absl::Time known_at() const { return known_at_; }
  // Made when somebody reads after a change.
  const SnapshotPtr& Snapshot();
  // nullptr: it is no member.
  ServerPtr Find(std::string_view server_id) const;
  // See AddressIndex.
  std::vector<ServerPtr> OlderAtSameAddress() const {
    return addresses_.Older();
  }
  ClusterSummary Summary() const;

  // --- what was --------------------------------------------------------------

  // The revision before its first change.
  std::int64_t birth() const { return birth_; }
  // That of the last change.
  std::int64_t revision() const { return revision_; }
  // Changes after this revision are all in the log.
  std::int64_t log_start() const { return log_start_; }
  // The first one after `revision`, which is log_start() at the least; nullptr
  // when there is none. Valid until the next change.
  const LoggedChange* ChangeAfter(std::int64_t revision) const;

 private:
  struct Member {
    ServerPtr record;
    std::int64_t said_at;  // the revision that brought this record
  };
  struct Tombstone {
    absl::Time date;     // of the record that left
    absl::Time left_at;  // by this process's clock
    std::int64_t said_at;
    std::string node_api_url;  // where it served the node API; empty: unknown
  };

  // Whether something that was said after `mark` beats a record that was asked
  // for then.
  bool Outdated(const Server& server, std::int64_t mark) const;
  // Counts a record, or no longer.
  void Enter(const Server& record);
  void Strike(const Server& record);
  // Replaces the record of a member by another of the same server.
  std::int64_t Update(Member& member, ServerPtr record, absl::Time now);
  std::int64_t Log(ChangeType type, ServerPtr server, absl::Time now);

  ClusterIdentity identity_;
  ClusterLedger& ledger_;
  const std::int64_t birth_;
  std::int64_t revision_;
  absl::Time update_time_;
  absl::Time known_at_ = absl::InfinitePast();

  absl::btree_map<std::string, Member> members_;  // by server_id
  ServerList servers_;                            // their records
  AddressIndex addresses_;                        // of those
  std::size_t node_api_members_ = 0;
  absl::flat_hash_map<std::string, Tombstone> tombstones_;
  std::deque<LoggedChange> log_;
  std::int64_t log_start_;
  SnapshotPtr snapshot_;  // nullptr after a change
};

}  // namespace coord

#endif  // SERVER_CORE_CLUSTER_TABLE_H_
