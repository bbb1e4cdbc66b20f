// Removes servers that proved dead; never on a suspicion alone.
#ifndef SERVER_NODE_EVICTOR_H_
#define SERVER_NODE_EVICTOR_H_

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/event_loop.h"
#include "server/core/caller.h"
#include "server/core/membership.h"
#include "server/fanout/engine.h"
#include "server/node/aftermath.h"
#include "server/node/eviction_observer.h"
#include "server/node/peers.h"
#include "server/node/registrar.h"
#include "server/node/self_doubt.h"
#include "server/registry/registry.h"

namespace coord {

struct EvictorOptions {
  int probes = 3;
  absl::Duration probe_pause = absl::Seconds(1);
  absl::Duration quiet = absl::Minutes(10);  // between evictions of one server
  // After a look at a dead server that stays, ± 10 %. Shorter than the window
  // of SelfPreservation, which counts on it.
  absl::Duration look_again = absl::Seconds(30);
  // The same where only the authority's answer is wanting; no longer.
  absl::Duration authority_retry = absl::Seconds(3);
  std::size_t max_workers = 1024;  // suspects handled at one time
};

struct EvictCommand {
  std::string type;
  std::string cluster_id;
  std::string server_id;
  RecordVersion seen;
  // How long the answer may wait for what becomes of the server.
  absl::Duration wait = absl::ZeroDuration();
  Caller caller;
};

struct EvictAnswer {
  ServerPtr removed;
  bool held = false;  // by this process
  Aftermath aftermath;

  // What an operator should know of it, in a sentence or two.
  std::string Explain() const;
};

// One worker for each suspect, however many calls failed on it:
// refresh the list → probe → conditional removal → leave to the rest. A server
// that is dead and can't be removed is SUSPECTED and looked at again every
// look_again, or authority_retry, until it answers, is replaced or removed: so
// SUSPECTED ends by itself. While this process suspects itself (SelfDoubt) and
// the authority answers, a dead server goes within 5 minutes and, for each one
// that is held back, a minute and a look. Works on `loop`; all must outlive it.
class Evictor final : public SuspicionSink {
 public:
  Evictor(EventLoop& loop, Registry& registry, Registrar& registrar,
          Membership& membership, Peers& peers, SelfDoubt& doubt,
          EvictionObserver& observer, EvictorOptions options);
  ~Evictor() override;

  // Thread-safe.
  void Suspect(const ClusterIdentity& cluster,
               const ServerPtr& server) override;
  // Has it asked whether it serves the node API. Thread-safe.
  void Nameless(const ServerPtr& server) override;

  // By hand: removes the server whether it lives or not, then tells what
  // became of it. Thread-safe; `done` is called on the loop. Errors: see
  // RegistryService.EvictServer.
  void Evict(EvictCommand command,
             absl::AnyInvocable<void(absl::StatusOr<EvictAnswer>) &&> done);

  // Whoever waits to hear what became of a server hears what is known, now and
  // from now on. Thread-safe.
  void Stop();

 private:
  class Impl;
  EventLoop& loop_;
  std::shared_ptr<Impl> impl_;
};

}  // namespace coord

#endif  // SERVER_NODE_EVICTOR_H_
