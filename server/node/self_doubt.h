// Whether this process suspects itself rather than the servers it can't reach.
#ifndef SERVER_NODE_SELF_DOUBT_H_
#define SERVER_NODE_SELF_DOUBT_H_

#include <atomic>
#include <functional>

#include "common/event_loop.h"
#include "server/core/membership.h"
#include "server/core/self_preservation.h"
#include "server/core/server.h"

namespace coord {

// SelfPreservation, fed by whoever probes and asked by whoever is about to
// remove a server that seems dead. Lives on the loop.
class SelfDoubt {
 public:
  // `changed` is told when it begins and when it ends; may be empty.
  SelfDoubt(EventLoop& loop, const Membership& membership,
            std::function<void(bool active)> changed,
            SelfPreservationOptions options = {});

  // A probe of a server failed, or is due again and not answered yet; `held`:
  // it is registered by this process.
  void Failed(const ServerKey& key, bool held);
  // It answered, or is a member no longer.
  void Settled(const ServerKey& key);
  // Whether one that fails may be removed now.
  bool MayRemove(const ServerKey& key) const;
  // One is about to be removed.
  void Removing();

  // Thread-safe.
  bool active() const { return active_; }

 private:
  void Judge();

  EventLoop& loop_;
  const Membership& membership_;
  const std::function<void(bool active)> changed_;
  SelfPreservation doubt_;
  std::atomic<bool> active_ = false;  // doubt_'s, for all threads
};

}  // namespace coord

#endif  // SERVER_NODE_SELF_DOUBT_H_
