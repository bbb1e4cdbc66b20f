// A body that a test gives piece by piece.
#ifndef TESTS_SUPPORT_FED_SOURCE_H_
#define TESTS_SUPPORT_FED_SOURCE_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/event_loop.h"
#include "server/http/body_source.h"

namespace coord {

// What a FedSource and its test share. Thread-safe.
class Feed {
 public:
  explicit Feed(EventLoop& loop) : loop_(loop) {}

  // Gives the next piece, the end (`""`) or an error.
  void Push(absl::StatusOr<std::string> piece) {
    absl::MutexLock lock(&mutex_);
    pieces_.push_back(std::move(piece));
    Serve();
  }
  // Until the source has been destroyed.
  void WaitForEnd() const { ended_.WaitForNotification(); }

 private:
  friend class FedSource;

  void Serve() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!waiting_ || pieces_.empty()) return;
    loop_.Post([done = std::exchange(waiting_, nullptr),
                piece = std::move(pieces_.front())]() mutable {
      std::move(done)(std::move(piece));
    });
    pieces_.pop_front();
  }

  EventLoop& loop_;
  absl::Mutex mutex_;
  std::deque<absl::StatusOr<std::string>> pieces_ ABSL_GUARDED_BY(mutex_);
  BodySource::Done waiting_ ABSL_GUARDED_BY(mutex_);
  absl::Notification ended_;
};

class FedSource final : public BodySource {
 public:
  explicit FedSource(std::shared_ptr<Feed> feed,
                     std::optional<std::uint64_t> length = std::nullopt)
      : BodySource(length), feed_(std::move(feed)) {}
  ~FedSource() override { feed_->ended_.Notify(); }

  void Read(Done done) override {
    absl::MutexLock lock(&feed_->mutex_);
    feed_->waiting_ = std::move(done);
    feed_->Serve();
  }

 private:
  const std::shared_ptr<Feed> feed_;
};

}  // namespace coord

#endif  // TESTS_SUPPORT_FED_SOURCE_H_
