// Waits for SIGINT or SIGTERM, so that a command can end in order.
#ifndef CLIENT_CTL_STOP_SIGNAL_H_
#define CLIENT_CTL_STOP_SIGNAL_H_

#include "absl/time/time.h"

namespace coord {

// Construct before any thread exists: what blocks the signals is inherited.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();

  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  // Lets every Wait return. Thread-safe.
  void Raise();

  // Whether a signal came or Raise was called; false: the time is over.
  bool Wait(absl::Duration timeout = absl::InfiniteDuration());

 private:
  int signals_;
  int raised_;
};

}  // namespace coord

#endif  // CLIENT_CTL_STOP_SIGNAL_H_
