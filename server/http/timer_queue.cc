#include "server/http/timer_queue.h"

#include <algorithm>
#include <utility>

namespace coord {
namespace {

constexpr std::size_t kSmallHeap = 64;

}  // namespace

TimerId TimerQueue::Add(absl::Time due, Task task) {
  const std::uint64_t id = ++last_id_;
  tasks_.emplace(id, std::move(task));
  heap_.push_back({due, id});
  std::push_heap(heap_.begin(), heap_.end());
  return TimerId{id};
}

TimerQueue::Task TimerQueue::Remove(TimerId timer) {
  const auto it = tasks_.find(static_cast<std::uint64_t>(timer));
  if (it == tasks_.end()) return nullptr;
  Task task = std::move(it->second);
  tasks_.erase(it);
  if (heap_.size() > kSmallHeap && heap_.size() > 2 * tasks_.size()) {
    std::erase_if(heap_,
                  [this](const Moment& m) { return !tasks_.contains(m.id); });
    std::make_heap(heap_.begin(), heap_.end());
  }
  return task;
}

absl::Time TimerQueue::Next() {
  DropForgotten();
  return heap_.empty() ? absl::InfiniteFuture() : heap_.front().due;
}

TimerQueue::Task TimerQueue::TakeDue(absl::Time now) {
  if (Next() > now || heap_.empty()) return nullptr;
  const auto it = tasks_.find(heap_.front().id);
  Task task = std::move(it->second);
  tasks_.erase(it);
  PopMoment();
  return task;
}

void TimerQueue::Clear() {
  heap_.clear();
  // Destroying a task may come back here.
  auto doomed = std::exchange(tasks_, {});
}

void TimerQueue::DropForgotten() {
  while (!heap_.empty() && !tasks_.contains(heap_.front().id)) PopMoment();
}

void TimerQueue::PopMoment() {
  std::pop_heap(heap_.begin(), heap_.end());
  heap_.pop_back();
}

}  // namespace coord
