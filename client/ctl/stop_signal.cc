#include "client/ctl/stop_signal.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace coord {

StopSignal::StopSignal() : raised_(eventfd(0, EFD_CLOEXEC)) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signals_ = signalfd(-1, &signals, SFD_CLOEXEC);
}

StopSignal::~StopSignal() {
  close(signals_);
  close(raised_);
}

void StopSignal::Raise() { eventfd_write(raised_, 1); }

bool StopSignal::Wait(absl::Duration timeout) {
  const int timeout_ms = timeout == absl::InfiniteDuration()
                             ? -1
                             : static_cast<int>(absl::ToInt64Milliseconds(
                                   absl::Ceil(timeout, absl::Milliseconds(1))));
  std::array<pollfd, 2> waiting = {
      {{.fd = signals_, .events = POLLIN}, {.fd = raised_, .events = POLLIN}}};
  int ready = 0;
  do {
    ready = poll(waiting.data(), waiting.size(), timeout_ms);
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

}  // namespace coord
