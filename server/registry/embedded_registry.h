// The authority inside this process: clusters and servers in SQLite, leases
// that expire by themselves, changes pushed as they become durable.
#ifndef SERVER_REGISTRY_EMBEDDED_REGISTRY_H_
#define SERVER_REGISTRY_EMBEDDED_REGISTRY_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/event_loop.h"
#include "server/registry/database.h"
#include "server/registry/registry.h"

namespace coord {

struct EmbeddedRegistryOptions {
  // Granted to every server; at most 2,147,483,647 ms (Node's timers overflow).
  absl::Duration lease = absl::Hours(2);
  // A server that did not renew is removed after 2 × lease + grace.
  absl::Duration expiry_grace = absl::Seconds(60);
};

class EmbeddedRegistry final : public Registry {
 public:
  // Loads what `database` holds, tells `listener` of every server in it as
  // kJoined, and gives each a full lease: expiries are never stored. `loop`
  // carries the timer of the leases. Both must outlive it. Errors: those of the
  // database.
  static absl::StatusOr<std::unique_ptr<EmbeddedRegistry>> Create(
      Database& database, EventLoop& loop, EmbeddedRegistryOptions options,
      ChangeListener listener);
  // On the loop, or after it stopped. Finishes what is in flight.
  ~EmbeddedRegistry() override;

  void Register(RegisterRequest request, Done<RegisterAnswer> done) override;
  void Unregister(const ServerKey& key, const std::string& type,
                  Done<Removed> done) override;
  void Remove(const ServerKey& key, const std::string& type,
              const Evidence& evidence, Done<Removal> done) override;
  bool PushesChanges() const override { return true; }

 private:
  class Impl;
  explicit EmbeddedRegistry(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace coord

#endif  // SERVER_REGISTRY_EMBEDDED_REGISTRY_H_
