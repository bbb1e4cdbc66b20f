#include "server/node/pacer.h"

#include <utility>

namespace coord {

void Pacer::Start(Job job) {
  waiting_.push_back(std::move(job));
  if (waiting_.size() == 1) GoOn();
}

void Pacer::GoOn() {
  while (!waiting_.empty() && Free()) {
    Job job = std::move(waiting_.front());
    waiting_.pop_front();
    Begin(std::move(job));
  }
  if (!waiting_.empty() && running_ < pace_.at_once) GoOnAfterTurn();
}

bool Pacer::Free() {
  if (const absl::Time now = loop_.Now(); now >= turn_end_) {
    turn_end_ = now + pace_.turn;
    begun_ = 0;
  }
  return running_ < pace_.at_once && begun_ < pace_.each_turn;
}

void Pacer::Begin(Job job) {
  ++running_;
  ++begun_;
  std::move(job)(Permit(weak_from_this()));
}

void Pacer::GoOnAfterTurn() {
  if (std::exchange(timer_set_, true)) return;
  loop_.RunAfter(turn_end_ - loop_.Now(), [weak = weak_from_this()] {
    auto self = weak.lock();
    if (self == nullptr) return;
    self->timer_set_ = false;
    self->GoOn();
  });
}

// Not inside, since a job may end while it begins.
void Pacer::End() {
  if (running_-- < pace_.at_once || waiting_.empty()) return;
  loop_.Post([weak = weak_from_this()] {
    if (auto self = weak.lock()) self->GoOn();
  });
}

}  // namespace coord
