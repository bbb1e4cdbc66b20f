// When a process should doubt itself rather than the servers it can't reach.
// Pure.
#ifndef SERVER_CORE_SELF_PRESERVATION_H_
#define SERVER_CORE_SELF_PRESERVATION_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "server/core/server.h"

namespace coord {

// Why a process suspects itself.
struct SelfSuspicion {
  std::size_t failing = 0;  // servers
  std::size_t of = 0;       // servers of the cluster; 0: of all clusters
  bool elsewhere = false;   // only those that other processes hold are counted
  std::string cluster_id;   // empty: all clusters
};

// How many servers a cluster has.
struct ClusterSize {
  std::size_t servers = 0;
  std::size_t held = 0;  // of those, registered by this process
};

struct SelfPreservationOptions {
  // How long a failed probe counts.
  absl::Duration window = absl::Seconds(60);
  // What an eviction needs while this process suspects itself: that the server
  // has failed for as long, and that the last eviction is as long ago.
  absl::Duration patience = absl::Minutes(5);
  absl::Duration pace = absl::Minutes(1);
  // Servers that one can keep an eye on: so many failing ones are alarm enough,
  // whatever the size of their cluster.
  std::size_t crowd = 1024;
};

// A process that is cut off sees everybody else die. So it suspects itself
// while, in any one cluster, at least 2 and more than half of the others failed
// a probe within the window and have not answered since. The others are
// counted both ways, as all servers of the cluster and as those held elsewhere:
// one that is held here may be a neighbour, which answers even when the network
// is down. One such cluster slows the evictions of all down, as it is the
// process that is in doubt. Not thread-safe.
class SelfPreservation {
 public:
  explicit SelfPreservation(SelfPreservationOptions options)
      : options_(options) {}

  // A probe of a server failed, or is due again and not answered yet; `held`:
  // it is registered by this process.
  void Failed(const ServerKey& key, bool held, absl::Time now);
  // It answered, or is a member no longer. Whether it had failed.
  bool Settled(const ServerKey& key);

  // Judges by what failed up to `now`, and returns active().
  bool Judge(absl::FunctionRef<ClusterSize(const std::string& cluster_id)> size,
             absl::Time now);
  // Whether this process suspects itself, as of the last Judge.
  bool active() const { return suspicion_.has_value(); }
  // Why.
  const std::optional<SelfSuspicion>& suspicion() const { return suspicion_; }
  // Servers that fail.
  std::size_t failing() const { return failing_count_; }

  // Whether a server that failed its probes may be evicted now.
  bool MayEvict(const ServerKey& key, absl::Time now) const;
  // One is about to be evicted.
  void Evicting(absl::Time now) { last_eviction_ = now; }

 private:
  struct Failing {
    absl::Time since;
    absl::Time last;
    bool held;
  };
  using FailingById = absl::flat_hash_map<std::string, Failing>;

  std::optional<SelfSuspicion> Suspect(const FailingById& failing,
                                       ClusterSize size, absl::Time now) const;

  const SelfPreservationOptions options_;
  absl::flat_hash_map<std::string, FailingById> failing_;  // by cluster
  std::size_t failing_count_ = 0;
  absl::Time last_eviction_ = absl::InfinitePast();
  std::optional<SelfSuspicion> suspicion_;
};

}  // namespace coord

#endif  // SERVER_CORE_SELF_PRESERVATION_H_
