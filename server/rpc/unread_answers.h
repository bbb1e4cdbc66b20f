// What has been answered and not been read: how many bytes it may hold in all,
// and for how long.
#ifndef SERVER_RPC_UNREAD_ANSWERS_H_
#define SERVER_RPC_UNREAD_ANSWERS_H_

#include <google/protobuf/message.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/event_loop.h"

namespace coord {

struct UnreadAnswersOptions {
  std::size_t max_bytes = 256 << 20;
  // A caller who has taken nothing for this long is given up. It gets as much
  // time again for each 4 MiB that wait for it, and 2 s at the most while
  // max_bytes are waiting.
  absl::Duration patience = absl::Seconds(30);
};

// Thread-safe.
class UnreadObserver {
 public:
  virtual ~UnreadObserver() = default;
  virtual void OnRefusedForUnread() = 0;  // a call, since max_bytes wait
  virtual void OnUnreadGivenUp() = 0;     // a call whose caller did not read
};

// A caller that stops reading leaves its answers in this process, where no
// other limit sees them. Thread-safe; its callers end before it does.
class UnreadAnswers {
 public:
  class Caller;

  // Looks at the callers on `loop`, which must have stopped when this ends.
  UnreadAnswers(EventLoop& loop, UnreadAnswersOptions options,
                UnreadObserver& observer);

  // Whether a call that may have a large answer may begin. Errors:
  // RESOURCE_EXHAUSTED · TOO_MANY_UNREAD_BYTES with the time to come again.
  absl::Status CheckRoom() const;

  std::size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  void Look();
  absl::Duration PatienceWith(std::size_t bytes) const;

  EventLoop& loop_;
  const UnreadAnswersOptions options_;
  UnreadObserver& observer_;
  const absl::Status refusal_;
  std::atomic<std::size_t> bytes_ = 0;
  absl::Mutex mutex_;
  absl::flat_hash_set<Caller*> callers_ ABSL_GUARDED_BY(mutex_);
};

// One RPC, from its handler to OnDone.
class UnreadAnswers::Caller {
 public:
  Caller(UnreadAnswers& all, grpc::CallbackServerContext& context);
  ~Caller() { End(); }
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  // So many bytes wait for the caller. Thread-safe, as Take.
  void Add(std::size_t bytes);
  // It has taken so many.
  void Take(std::size_t bytes);
  // In OnDone: what it has not taken is gone, and so is the context. Twice is
  // once.
  void End();

 private:
  friend class UnreadAnswers;

  std::int64_t Now() const;

  UnreadAnswers& all_;
  grpc::CallbackServerContext& context_;
  bool ended_ = false;
  bool given_up_ = false;  // by Look, under the mutex
  std::atomic<std::size_t> bytes_ = 0;
  // The last time that it took something, or had nothing to take; in
  // nanoseconds of the loop's clock.
  std::atomic<std::int64_t> since_ = 0;
};

// Of a unary call whose answer may be large. Lives until OnDone.
class CountedReactor final : public grpc::ServerUnaryReactor {
 public:
  CountedReactor(UnreadAnswers& all, grpc::CallbackServerContext& context)
      : unread_(all, context) {}

  // Before Finish, with what is going to be sent.
  void Count(const google::protobuf::Message& answer) {
    unread_.Add(answer.ByteSizeLong());
  }
  void OnDone() override { delete this; }

 private:
  UnreadAnswers::Caller unread_;
};

}  // namespace coord

#endif  // SERVER_RPC_UNREAD_ANSWERS_H_
