#include "client/cpp/session.h"

#include <atomic>
#include <utility>

#include "absl/random/random.h"
#include "absl/synchronization/notification.h"
#include "client/cpp/session_core.h"
#include "client/cpp/thread_loop.h"

namespace coord {

class Session::Impl {
 public:
  Impl(const Client& client, SessionOptions options)
      : core_(loop_, client.channel(), std::move(options), random_) {
    loop_.Post([this] { core_.Start(); });
  }

  ~Impl() {
    static_cast<void>(Close());
    loop_.Stop();
  }

  absl::StatusOr<pb::UnregisterServerResponse> Close() {
    if (!closing_.exchange(true)) {
      loop_.Post([this] {
        core_.Close([this](auto result) {
          result_ = std::move(result);
          closed_.Notify();
        });
      });
    }
    closed_.WaitForNotification();
    return result_;
  }

 private:
  ThreadLoop loop_;
  absl::BitGen random_;
  SessionCore core_;
  std::atomic<bool> closing_ = false;
  absl::Notification closed_;
  absl::StatusOr<pb::UnregisterServerResponse> result_;  // set once closed
};

Session::Session(const Client& client, SessionOptions options)
    : impl_(std::make_unique<Impl>(client, std::move(options))) {}

Session::~Session() = default;

absl::StatusOr<pb::UnregisterServerResponse> Session::Close() {
  return impl_->Close();
}

}  // namespace coord
