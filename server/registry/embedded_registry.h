// The authority inside this process: clusters and servers in SQLite, leases
// that expire by themselves, changes pushed as they become durable.
#ifndef SERVER_REGISTRY_EMBEDDED_REGISTRY_H_
#define SERVER_REGISTRY_EMBEDDED_REGISTRY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/event_loop.h"
#include "server/registry/cluster_roster.h"
#include "server/registry/database.h"
#include "server/registry/registry.h"

namespace coord {

struct EmbeddedRegistryOptions {
  // Granted to every server; at most 2,147,483,647 ms (Node's timers overflow).
  absl::Duration lease = absl::Hours(2);
  // A server that did not renew is removed after 2 × lease + grace.
  absl::Duration expiry_grace = absl::Seconds(60);
  // Of all clusters, however they were registered; renewals are never refused.
  std::size_t max_servers = 100'000;
  // Over it, the one goes that has been empty for longest.
  std::size_t max_clusters = 10'000;
  // When this process last began to run again after it had not, by
  // EventLoop::Now; the infinite past: never. Thread-safe.
  std::function<absl::Time()> last_standstill = absl::InfinitePast;
  // A cluster keeps its id for so long after its last server has left.
  absl::Duration forget_empty_clusters_after = absl::Hours(24);
};

class EmbeddedRegistry final : public Registry {
 public:
  // Loads what `database` holds, tells `listener` of every server in it as
  // kJoined, and gives each a full lease: expiries are never stored. `loop`
  // carries the timer of the leases. Both must outlive it. `is_watched` tells
  // which empty clusters must stay; it may be empty, and is called on the
  // thread of the database. Errors: those of the database.
  static absl::StatusOr<std::unique_ptr<EmbeddedRegistry>> Create(
      Database& database, EventLoop& loop, EmbeddedRegistryOptions options,
      ChangeListener listener, ClusterRoster::IsWatched is_watched = nullptr);
  // On the loop, or after it stopped. Finishes what is in flight.
  ~EmbeddedRegistry() override;

  // Further errors: RESOURCE_EXHAUSTED · TOO_MANY_REGISTRATIONS or
  // TOO_MANY_CLUSTERS, for a server that is new.
  void Register(RegisterRequest request, Done<RegisterAnswer> done) override;
  void Unregister(const ServerKey& key, const std::string& type,
                  Done<Removed> done) override;
  void Remove(const ServerKey& key, const std::string& type,
              const Evidence& evidence, Done<Removal> done) override;
  bool PushesChanges() const override { return true; }

  // Servers that were removed because they did not renew. Thread-safe.
  std::int64_t expired() const;

 private:
  class Impl;
  explicit EmbeddedRegistry(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace coord

#endif  // SERVER_REGISTRY_EMBEDDED_REGISTRY_H_
