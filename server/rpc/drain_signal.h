// Tells open calls that the server is going away.
#ifndef SERVER_RPC_DRAIN_SIGNAL_H_
#define SERVER_RPC_DRAIN_SIGNAL_H_

#include <cstdint>
#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"

namespace coord {

// Thread-safe; outlives its subscriptions.
class DrainSignal {
 public:
  using Callback = std::function<void()>;

  // Ends with its life. A callback that is being run at that moment goes on.
  class Subscription {
   public:
    Subscription() = default;
    Subscription(Subscription&& other) noexcept
        : signal_(std::exchange(other.signal_, nullptr)), id_(other.id_) {}
    Subscription& operator=(Subscription&& other) noexcept {
      std::swap(signal_, other.signal_);
      std::swap(id_, other.id_);
      return *this;
    }
    ~Subscription() {
      if (signal_ != nullptr) signal_->Unsubscribe(id_);
    }

   private:
    friend class DrainSignal;
    Subscription(DrainSignal* signal, std::uint64_t id)
        : signal_(signal), id_(id) {}

    DrainSignal* signal_ = nullptr;
    std::uint64_t id_ = 0;
  };

  // `callback` is run once: by Drain, or inside Subscribe when draining has
  // begun.
  [[nodiscard]] Subscription Subscribe(Callback callback);

  // Runs every callback. Twice is once.
  void Drain();

 private:
  void Unsubscribe(std::uint64_t id);

  absl::Mutex mutex_;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  std::uint64_t last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<std::uint64_t, Callback> callbacks_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace coord

#endif  // SERVER_RPC_DRAIN_SIGNAL_H_
