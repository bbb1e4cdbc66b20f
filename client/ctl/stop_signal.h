// Waits for SIGINT or SIGTERM, so that a command can end in order.
#ifndef CLIENT_CTL_STOP_SIGNAL_H_
#define CLIENT_CTL_STOP_SIGNAL_H_

#include <signal.h>

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

  // From now on the next signal ends the process at once, so that putting
  // things in order can't take for ever.
  void Release();

 private:
  sigset_t signals_;
  int came_;
  int raised_;
};

// From now on SIGINT and SIGTERM end the process at once, with exit code 0: for
// a command that goes on until then and has nothing to put in order.
void EndWellOnSignal();

}  // namespace coord

#endif  // CLIENT_CTL_STOP_SIGNAL_H_
