// How many sockets the clients of a process may have open together.
#ifndef SERVER_HTTP_SOCKET_BUDGET_H_
#define SERVER_HTTP_SOCKET_BUDGET_H_

#include <atomic>
#include <cstddef>
#include <list>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "common/event_loop.h"

namespace coord {

// Who finds no socket free waits for one, in order, whomever it is for.
// Thread-safe. Outlives its permits and places.
class SocketBudget {
 public:
  // The right to one socket; its destructor gives it back.
  class Permit {
   public:
    Permit() = default;  // none
    Permit(Permit&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)) {}
    Permit& operator=(Permit&& other) noexcept {
      Permit former(std::exchange(budget_, std::exchange(other.budget_, {})));
      return *this;
    }
    ~Permit() {
      if (budget_ != nullptr) budget_->GiveBack();
    }
    explicit operator bool() const { return budget_ != nullptr; }

   private:
    friend class SocketBudget;
    explicit Permit(SocketBudget* budget) : budget_(budget) {}
    SocketBudget* budget_ = nullptr;
  };

  using Granted = absl::AnyInvocable<void(Permit) &&>;

  // A place in the queue; its destructor leaves it.
  class Place : public std::enable_shared_from_this<Place> {
   public:
    Place(SocketBudget& budget, EventLoop& loop, Granted granted)
        : budget_(budget), loop_(loop), granted_(std::move(granted)) {}
    ~Place() { budget_.Leave(*this); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

   private:
    friend class SocketBudget;
    SocketBudget& budget_;
    EventLoop& loop_;
    Granted granted_;
    bool queued_ = false;  // guarded by the budget's mutex
    std::list<Place*>::iterator at_;
  };

  explicit SocketBudget(std::size_t most) : most_(most) {}

  // None where no socket is free, or where others wait for one.
  Permit TryTake();

  // Calls `granted` on `loop`, never inside, when it is one's turn; not after
  // the place was destroyed, which happens on `loop`, too.
  std::shared_ptr<Place> Wait(EventLoop& loop, Granted granted);

  // Of how many sockets how many are taken.
  std::size_t most() const { return most_; }
  std::size_t taken() const {
    absl::MutexLock lock(&mutex_);
    return taken_;
  }
  // Whether anybody waits. Cheap.
  bool wanted() const { return wanted_.load(std::memory_order_relaxed); }

 private:
  static void Grant(EventLoop& loop, std::weak_ptr<Place> place, Permit permit);
  void GiveBack();
  void Leave(Place& place);

  const std::size_t most_;
  std::atomic<bool> wanted_ = false;
  mutable absl::Mutex mutex_;
  std::size_t taken_ ABSL_GUARDED_BY(mutex_) = 0;
  std::list<Place*> waiting_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace coord

#endif  // SERVER_HTTP_SOCKET_BUDGET_H_
