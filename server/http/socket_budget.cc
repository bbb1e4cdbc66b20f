#include "server/http/socket_budget.h"

namespace coord {

SocketBudget::Permit SocketBudget::TryTake() {
  absl::MutexLock lock(&mutex_);
  if (!waiting_.empty() || taken_ >= most_) return Permit();
  ++taken_;
  return Permit(this);
}

std::shared_ptr<SocketBudget::Place> SocketBudget::Wait(EventLoop& loop,
                                                        Granted granted) {
  auto place = std::make_shared<Place>(*this, loop, std::move(granted));
  {
    absl::MutexLock lock(&mutex_);
    if (!waiting_.empty() || taken_ >= most_) {
      place->at_ = waiting_.insert(waiting_.end(), place.get());
      place->queued_ = true;
      wanted_ = true;
      return place;
    }
    ++taken_;
  }
  Grant(loop, place, Permit(this));
  return place;
}

// One that has left meanwhile leaves its permit to the next.
void SocketBudget::Grant(EventLoop& loop, std::weak_ptr<Place> place,
                         Permit permit) {
  loop.Post([place = std::move(place), permit = std::move(permit)]() mutable {
    if (const auto waiting = place.lock()) {
      std::move(waiting->granted_)(std::move(permit));
    }
  });
}

void SocketBudget::GiveBack() {
  std::weak_ptr<Place> next;
  EventLoop* loop = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    if (waiting_.empty()) {
      --taken_;
      return;
    }
    Place& first = *waiting_.front();
    waiting_.pop_front();
    first.queued_ = false;
    wanted_ = !waiting_.empty();
    next = first.weak_from_this();
    loop = &first.loop_;
  }
  Grant(*loop, std::move(next), Permit(this));
}

void SocketBudget::Leave(Place& place) {
  absl::MutexLock lock(&mutex_);
  if (!place.queued_) return;
  waiting_.erase(place.at_);
  wanted_ = !waiting_.empty();
}

}  // namespace coord
