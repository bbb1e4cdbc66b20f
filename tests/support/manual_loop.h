// An event loop that a test drives by hand: no thread, no clock but its own.
#ifndef TESTS_SUPPORT_MANUAL_LOOP_H_
#define TESTS_SUPPORT_MANUAL_LOOP_H_

#include <cstdint>
#include <deque>
#include <map>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/event_loop.h"

namespace coord {

// Post is thread-safe, so that parts with threads of their own can report to a
// test; all else belongs to the test's thread.
class ManualLoop final : public EventLoop {
 public:
  void Post(Task task) override {
    absl::MutexLock lock(&mutex_);
    posted_.push_back(std::move(task));
  }

  TimerId RunAfter(absl::Duration delay, Task task) override {
    const TimerId id{++last_timer_};
    if (delay < absl::ZeroDuration()) delay = absl::ZeroDuration();
    timers_.emplace(std::pair(now_ + delay, last_timer_), std::move(task));
    return id;
  }

  void Cancel(TimerId timer) override {
    for (auto it = timers_.begin(); it != timers_.end(); ++it) {
      if (it->first.second == static_cast<std::uint64_t>(timer)) {
        Task doomed = std::move(it->second);
        timers_.erase(it);
        return;
      }
    }
  }

  absl::Time Now() const override { return now_; }
  absl::Time WallTime() const override { return now_; }
  bool OnLoop() const override { return true; }
  double Load() override { return load_; }
  void SetLoad(double load) { load_ = load; }

  // Runs what was posted, and what that posts; timers stay. How many ran.
  int RunPosted() {
    int ran = 0;
    for (;;) {
      Task task;
      {
        absl::MutexLock lock(&mutex_);
        if (posted_.empty()) return ran;
        task = std::move(posted_.front());
        posted_.pop_front();
      }
      std::move(task)();
      ++ran;
    }
  }

  // Waits for another thread to post, then runs it all.
  void WaitForPost() {
    {
      absl::MutexLock lock(&mutex_);
      auto has_work = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return !posted_.empty();
      };
      mutex_.Await(absl::Condition(&has_work));
    }
    RunPosted();
  }

  // Lets time pass: every timer that falls due runs at its own moment.
  void Advance(absl::Duration by) {
    const absl::Time end = now_ + by;
    RunPosted();
    while (!timers_.empty() && timers_.begin()->first.first <= end) {
      auto due = timers_.begin();
      now_ = std::max(now_, due->first.first);
      Task task = std::move(due->second);
      timers_.erase(due);
      std::move(task)();
      RunPosted();
    }
    now_ = end;
  }

  // Lets time pass in which the loop did not get to anything.
  void Stall(absl::Duration by) { now_ += by; }

  std::size_t timers() const { return timers_.size(); }
  // How long until the next timer; infinite when there is none.
  absl::Duration NextTimer() const {
    if (timers_.empty()) return absl::InfiniteDuration();
    return timers_.begin()->first.first - now_;
  }

 private:
  absl::Mutex mutex_;
  std::deque<Task> posted_ ABSL_GUARDED_BY(mutex_);
  std::map<std::pair<absl::Time, std::uint64_t>, Task> timers_;
  std::uint64_t last_timer_ = 0;
  double load_ = 0;
  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
};

}  // namespace coord

#endif  // TESTS_SUPPORT_MANUAL_LOOP_H_
