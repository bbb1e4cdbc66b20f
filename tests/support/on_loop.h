// Lets a test's own thread use what lives on a loop.
#ifndef TESTS_SUPPORT_ON_LOOP_H_
#define TESTS_SUPPORT_ON_LOOP_H_

#include <optional>
#include <type_traits>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/event_loop.h"

namespace coord {

// Runs `f` on `loop`, waits, returns what it returned.
template <typename F>
auto OnLoop(EventLoop& loop, F f) {
  absl::Notification done;
  if constexpr (std::is_void_v<decltype(f())>) {
    loop.Post([&] {
      f();
      done.Notify();
    });
    done.WaitForNotification();
  } else {
    std::optional<decltype(f())> result;
    loop.Post([&] {
      result.emplace(f());
      done.Notify();
    });
    done.WaitForNotification();
    return *std::move(result);
  }
}

// A value that another thread will deliver, once.
template <typename T>
class Promised {
 public:
  void Set(T value) {
    absl::MutexLock lock(&mutex_);
    value_.emplace(std::move(value));
  }
  bool ready() const {
    absl::MutexLock lock(&mutex_);
    return value_.has_value();
  }
  // Waits for Set.
  T Take() {
    absl::MutexLock lock(&mutex_);
    auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return value_.has_value();
    };
    mutex_.Await(absl::Condition(&ready));
    return *std::exchange(value_, std::nullopt);
  }

 private:
  mutable absl::Mutex mutex_;
  std::optional<T> value_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace coord

#endif  // TESTS_SUPPORT_ON_LOOP_H_
