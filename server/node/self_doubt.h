// Whether this process suspects itself rather than the servers it can't reach.
#ifndef SERVER_NODE_SELF_DOUBT_H_
#define SERVER_NODE_SELF_DOUBT_H_

#include <atomic>
#include <functional>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
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
  // `near_limits` names the limits of this process that are nearly reached,
  // empty when none is; may be empty.
  SelfDoubt(EventLoop& loop, const Membership& membership,
            std::function<void(bool active)> changed,
            std::function<std::string()> near_limits = nullptr,
            SelfPreservationOptions options = {});

  // A probe of a server failed, for the reason `why`, or is due again and not
  // answered yet; `held`: it is registered by this process.
  void Failed(const ServerKey& key, bool held, std::string_view why);
  // It answered, or is a member no longer.
  void Settled(const ServerKey& key);
  // Whether one that fails may be removed now.
  bool MayRemove(const ServerKey& key) const;
  // One is about to be removed.
  void Removing();

  // Thread-safe.
  bool active() const { return active_; }
  // Why, in words, as of when it began; empty while it is not active.
  // Thread-safe.
  std::string Cause() const;

 private:
  void Judge();
  std::string Describe(const SelfSuspicion& suspicion) const;

  EventLoop& loop_;
  const Membership& membership_;
  const std::function<void(bool active)> changed_;
  const std::function<std::string()> near_limits_;
  SelfPreservation doubt_;
  std::string last_failure_;          // which server, and why
  std::atomic<bool> active_ = false;  // doubt_'s, for all threads

  mutable absl::Mutex mutex_;
  std::string cause_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace coord

#endif  // SERVER_NODE_SELF_DOUBT_H_
