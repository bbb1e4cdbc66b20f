#include "server/heartbeat.h"

#include <pthread.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "common/log.h"

namespace coord {

absl::Duration StandstillRecord::Beat(absl::Time now) {
  const std::int64_t at = absl::ToUnixNanos(now);
  const absl::Duration gap =
      absl::Nanoseconds(at - last_beat_.load(std::memory_order_relaxed));
  const bool stood_still = gap > most_;
  // In this order: whoever sees the beat must see the gap that it ended.
  if (stood_still) last_gap_.store(at, std::memory_order_relaxed);
  last_beat_.store(at, std::memory_order_release);
  return stood_still ? gap : absl::ZeroDuration();
}

absl::Time StandstillRecord::Last(absl::Time now) const {
  const std::int64_t beat = last_beat_.load(std::memory_order_acquire);
  if (now - absl::FromUnixNanos(beat) > most_) return now;
  const std::int64_t gap = last_gap_.load(std::memory_order_relaxed);
  return gap == kNever ? absl::InfinitePast() : absl::FromUnixNanos(gap);
}

Heartbeat::Heartbeat(std::function<absl::Time()> clock)
    : clock_(std::move(clock)),
      record_(kInterval + kTolerance, clock_()),
      thread_([this] { Beat(); }) {}

Heartbeat::~Heartbeat() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

bool Heartbeat::Stopped() {
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(&stopping_), kInterval);
}

void Heartbeat::Beat() {
  pthread_setname_np(pthread_self(), "heartbeat");
  while (!Stopped()) {
    const absl::Duration still = record_.Beat(clock_());
    if (still == absl::ZeroDuration()) continue;
    spdlog::warn("did not run for a while; nobody is taken for silent{}",
                 Fields({{"for", absl::FormatDuration(still)}}));
  }
}

}  // namespace coord
