// Counts what the tables of all clusters hold, so that together they stay
// within limits.
#ifndef SERVER_CORE_CLUSTER_LEDGER_H_
#define SERVER_CORE_CLUSTER_LEDGER_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/container/btree_map.h"
#include "absl/time/time.h"
#include "server/core/server.h"

namespace coord {

class ClusterTable;

struct ClusterLimits {
  std::size_t changes = 4096;            // remembered for each cluster
  std::size_t change_bytes = 64 << 20;   // and over all of them
  std::size_t tombstones = 65'536;       // over all clusters
  std::size_t member_bytes = 256 << 20;  // over all clusters, for MayJoin
};

// Also numbers the changes of all clusters, which tells what is oldest: what is
// over a limit makes its table forget that, whichever table it is. Outlives the
// tables. Not thread-safe.
class ClusterLedger {
 public:
  explicit ClusterLedger(const ClusterLimits& limits) : limits_(limits) {}
  ClusterLedger(const ClusterLedger&) = delete;
  ClusterLedger& operator=(const ClusterLedger&) = delete;

  const ClusterLimits& limits() const { return limits_; }
  std::int64_t last_revision() const { return last_revision_; }
  std::int64_t NextRevision() { return ++last_revision_; }

  // `table` remembers a change to `server`, or no longer does.
  void AddChange(std::int64_t revision, const Server& server,
                 ClusterTable& table);
  void DropChange(std::int64_t revision);
  // The same of a tombstone.
  void AddTombstone(std::int64_t revision, const std::string& server_id,
                    ClusterTable& table);
  void DropTombstone(std::int64_t revision);
  // Makes the tables forget who left at or before `before`, oldest first and
  // `most` at the most. Whether there is more.
  bool ExpireTombstones(absl::Time before, std::size_t most);

  void AddMember(const Server& server);
  void DropMember(const Server& server);
  // Whether there is room for a member that only a peer speaks of.
  bool MayJoin(const Server& server) const;

  std::size_t change_bytes() const { return change_bytes_; }
  std::size_t tombstones() const { return tombstones_.size(); }
  std::size_t members() const { return members_; }

 private:
  struct Logged {
    ClusterTable* table;
    std::size_t bytes;
  };
  struct Buried {
    ClusterTable* table;
    std::string server_id;
  };

  const ClusterLimits limits_;
  std::int64_t last_revision_ = 0;
  absl::btree_map<std::int64_t, Logged> changes_;     // by revision
  absl::btree_map<std::int64_t, Buried> tombstones_;  // by revision
  std::size_t change_bytes_ = 0;
  std::size_t members_ = 0;
  std::size_t member_bytes_ = 0;
};

}  // namespace coord

#endif  // SERVER_CORE_CLUSTER_LEDGER_H_
