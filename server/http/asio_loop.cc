#include "server/http/asio_loop.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/http/thread_load.h"
#include "server/http/timer_queue.h"

namespace coord {
namespace asio = boost::asio;

namespace {

using SteadyClock = std::chrono::steady_clock;

// Tasks, or timers, that run before others have their turn.
constexpr std::size_t kTurn = 32;

// The loop that runs on this thread.
thread_local const void* this_threads_loop = nullptr;

SteadyClock::time_point ToSteady(absl::Time time) {
  return SteadyClock::time_point(
      absl::ToChronoNanoseconds(time - absl::UnixEpoch()));
}

}  // namespace

class AsioLoop::Impl {
 public:
  explicit Impl(const std::string& name)
      : thread_([this, name] { Run(name); }) {}

  ~Impl() {
    Stop();
    // Operations that never completed are destroyed here, and what they own may
    // still post or forget timers.
    waker_.reset();
    work_.reset();
    io_.reset();
  }

  void Post(Task task) {
    {
      absl::MutexLock lock(&mutex_);
      if (stopped_) return;
      posted_.push_back(std::move(task));
      // Whoever woke the loop before it took the tasks woke it for all.
      if (std::exchange(woken_, true)) return;
    }
    asio::post(*io_, [this] { RunPosted(); });
  }

  TimerId RunAfter(absl::Duration delay, Task task) {
    const absl::Time due = Now() + std::max(delay, absl::ZeroDuration());
    const TimerId timer = timers_.Add(due, std::move(task));
    if (due < armed_) Arm(due);
    return timer;
  }

  void Cancel(TimerId timer) { timers_.Remove(timer); }

  static absl::Time Now() {
    return absl::UnixEpoch() +
           absl::FromChrono(SteadyClock::now().time_since_epoch());
  }

  bool OnLoop() const { return this_threads_loop == this; }

  double Load() { return load_.SinceLast(Now()); }

  void Stop() {
    std::call_once(stop_once_, [this] { StopOnce(); });
  }

  asio::io_context& io() { return *io_; }

 private:
  void Run(const std::string& name) {
    pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
    this_threads_loop = this;
    io_->run();
  }

  // Some tasks, then timers and sockets have their turn.
  void RunPosted() {
    if (next_ == running_.size()) TakePosted();
    const std::size_t end = std::min(running_.size(), next_ + kTurn);
    while (next_ < end && !stopping_) {
      Task task = std::move(running_[next_++]);
      std::move(task)();
    }
    if (next_ < running_.size() || MorePosted()) {
      asio::post(*io_, [this] { RunPosted(); });
    }
  }

  void TakePosted() {
    running_.clear();
    next_ = 0;
    absl::MutexLock lock(&mutex_);
    running_.swap(posted_);
  }

  // If not, whoever posts next wakes the loop.
  bool MorePosted() {
    absl::MutexLock lock(&mutex_);
    woken_ = !posted_.empty();
    return woken_;
  }

  // Wakes the loop at `due`. A timer that is forgotten later doesn't disarm it:
  // a wake-up for nothing is cheaper than a system call for each timer.
  void Arm(absl::Time due) {
    armed_ = due;
    waker_->expires_at(ToSteady(due));
    waker_->async_wait([this](const boost::system::error_code& error) {
      if (!error) RunDue();
    });
  }

  void RunDue() {
    armed_ = absl::InfiniteFuture();
    const absl::Time now = Now();
    for (std::size_t turn = 0; turn < kTurn && !stopping_; ++turn) {
      Task task = timers_.TakeDue(now);
      if (!task) break;
      std::move(task)();
    }
    const absl::Time next = timers_.Next();
    if (next < armed_) Arm(next);
  }

  void StopOnce() {
    std::vector<Task> doomed;
    {
      absl::MutexLock lock(&mutex_);
      stopped_ = true;
      doomed.swap(posted_);
    }
    stopping_ = true;
    io_->stop();
    thread_.join();
    running_.clear();
    doomed.clear();
    timers_.Clear();
  }

  // Optional so that the destructor can end them while the rest still works.
  std::optional<asio::io_context> io_{std::in_place, 1};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>>
      work_{io_->get_executor()};
  std::optional<asio::steady_timer> waker_{*io_};

  absl::Mutex mutex_;
  std::vector<Task> posted_ ABSL_GUARDED_BY(mutex_);
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;

  // Only on the loop.
  std::vector<Task> running_;
  std::size_t next_ = 0;  // of these
  TimerQueue timers_;
  ThreadLoad load_;
  absl::Time armed_ = absl::InfiniteFuture();

  std::atomic<bool> stopping_ = false;
  std::once_flag stop_once_;
  std::thread thread_;
};

AsioLoop::AsioLoop(const std::string& name)
    : impl_(std::make_unique<Impl>(name)) {}

AsioLoop::~AsioLoop() = default;

void AsioLoop::Post(Task task) { impl_->Post(std::move(task)); }

TimerId AsioLoop::RunAfter(absl::Duration delay, Task task) {
  return impl_->RunAfter(delay, std::move(task));
}

void AsioLoop::Cancel(TimerId timer) { impl_->Cancel(timer); }

absl::Time AsioLoop::Now() const { return Impl::Now(); }

absl::Time AsioLoop::WallTime() const { return absl::Now(); }

bool AsioLoop::OnLoop() const { return impl_->OnLoop(); }

double AsioLoop::Load() { return impl_->Load(); }

void AsioLoop::Stop() { impl_->Stop(); }

asio::io_context& AsioLoop::io_context() { return impl_->io(); }

}  // namespace coord
