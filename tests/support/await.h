// Waiting for callbacks that come on another thread.
#ifndef TESTS_SUPPORT_AWAIT_H_
#define TESTS_SUPPORT_AWAIT_H_

#include <optional>
#include <utility>

#include "absl/synchronization/notification.h"

namespace coord {

// Calls `start` with a callback, waits until that was called, and returns what
// it was called with:
//
//   auto status = Await<absl::Status>([&](auto done) { store.Save(r, done); });
template <typename T, typename Start>
T Await(Start start) {
  std::optional<T> result;
  absl::Notification called;
  start([&result, &called](T value) {
    result.emplace(std::move(value));
    called.Notify();
  });
  called.WaitForNotification();
  return *std::move(result);
}

}  // namespace coord

#endif  // TESTS_SUPPORT_AWAIT_H_
