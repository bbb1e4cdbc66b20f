#include "client/cpp/thread_loop.h"

#include <algorithm>
#include <chrono>

namespace coord {
namespace {

using SteadyClock = std::chrono::steady_clock;

SteadyClock::time_point ToSteady(absl::Time time) {
  return SteadyClock::time_point(
      absl::ToChronoNanoseconds(time - absl::UnixEpoch()));
}

}  // namespace

ThreadLoop::ThreadLoop() : thread_([this] { Run(); }) {}

ThreadLoop::~ThreadLoop() { Stop(); }

void ThreadLoop::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void ThreadLoop::Post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    posted_.push_back(std::move(task));
  }
  wake_.notify_one();
}

TimerId ThreadLoop::RunAfter(absl::Duration delay, Task task) {
  const TimerId id{++last_timer_};
  timers_.emplace(
      std::pair(Now() + std::max(delay, absl::ZeroDuration()), last_timer_),
      std::move(task));
  return id;
}

void ThreadLoop::Cancel(TimerId timer) {
  const auto it =
      std::find_if(timers_.begin(), timers_.end(), [timer](const auto& entry) {
        return entry.first.second == static_cast<std::uint64_t>(timer);
      });
  if (it == timers_.end()) return;
  const Task doomed = std::move(it->second);
  timers_.erase(it);
}

absl::Time ThreadLoop::Now() const {
  return absl::UnixEpoch() +
         absl::FromChrono(SteadyClock::now().time_since_epoch());
}

bool ThreadLoop::OnLoop() const {
  return std::this_thread::get_id() == thread_.get_id();
}

void ThreadLoop::Run() {
  for (;;) {
    Task task = Next();
    if (!task) return;
    std::move(task)();
  }
}

EventLoop::Task ThreadLoop::Next() {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (stopped_) return nullptr;
    if (!posted_.empty()) {
      Task task = std::move(posted_.front());
      posted_.pop_front();
      return task;
    }
    if (timers_.empty()) {
      wake_.wait(lock);
      continue;
    }
    const auto due = timers_.begin();
    if (due->first.first <= Now()) {
      Task task = std::move(due->second);
      timers_.erase(due);
      return task;
    }
    wake_.wait_until(lock, ToSteady(due->first.first));
  }
}

}  // namespace coord
