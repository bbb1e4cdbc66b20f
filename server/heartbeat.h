// Notices times in which this process did not run.
#ifndef SERVER_HEARTBEAT_H_
#define SERVER_HEARTBEAT_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace coord {

// Tells by the gaps between beats when a process last stood still. One thread
// beats; any may ask. Times are of a clock that never jumps.
class StandstillRecord {
 public:
  // How long a gap between two beats may be.
  StandstillRecord(absl::Duration most, absl::Time now)
      : most_(most), last_beat_(absl::ToUnixNanos(now)) {}

  // How long the process stood still until now; zero: it did not.
  absl::Duration Beat(absl::Time now);

  // The end of the last gap: `now` while the beat that ends it is still to
  // come. The infinite past: there was none.
  absl::Time Last(absl::Time now) const;

 private:
  const absl::Duration most_;
  std::atomic<std::int64_t> last_beat_;  // in nanoseconds, as the next
  std::atomic<std::int64_t> last_gap_{kNever};
  static constexpr std::int64_t kNever =
      std::numeric_limits<std::int64_t>::min();
};

// A thread that does nothing but beat, so that its beats are late only when the
// process does not run: stopped, starved by the machine or paused with it. How
// busy its other threads are is no matter.
class Heartbeat {
 public:
  static constexpr absl::Duration kInterval = absl::Milliseconds(50);
  static constexpr absl::Duration kTolerance = absl::Milliseconds(250);

  // `clock` must be thread-safe.
  explicit Heartbeat(std::function<absl::Time()> clock);
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

  // When this process last began to run again after it had not; the infinite
  // past: there was no such time. By the clock; thread-safe.
  absl::Time LastStandstill() const { return record_.Last(clock_()); }

 private:
  void Beat();
  // Whether it is to stop, after the time to the next beat at the latest.
  bool Stopped();

  const std::function<absl::Time()> clock_;
  StandstillRecord record_;
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace coord

#endif  // SERVER_HEARTBEAT_H_
