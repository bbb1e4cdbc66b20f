#include "server/rpc/drain_signal.h"

namespace coord {

DrainSignal::Subscription DrainSignal::Subscribe(Callback callback) {
  {
    absl::MutexLock lock(&mutex_);
    if (!draining_) {
      const std::uint64_t id = ++last_id_;
      callbacks_.emplace(id, std::move(callback));
      return Subscription(this, id);
    }
  }
  callback();
  return Subscription();
}

void DrainSignal::Drain() {
  absl::flat_hash_map<std::uint64_t, Callback> callbacks;
  {
    absl::MutexLock lock(&mutex_);
    draining_ = true;
    callbacks.swap(callbacks_);
  }
  for (auto& [id, callback] : callbacks) callback();
}

void DrainSignal::Unsubscribe(std::uint64_t id) {
  absl::MutexLock lock(&mutex_);
  callbacks_.erase(id);
}

}  // namespace coord
