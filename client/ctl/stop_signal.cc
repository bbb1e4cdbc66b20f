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
  sigemptyset(&signals_);
  sigaddset(&signals_, SIGINT);
  sigaddset(&signals_, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  came_ = signalfd(-1, &signals_, SFD_CLOEXEC | SFD_NONBLOCK);
}

StopSignal::~StopSignal() {
  close(came_);
  close(raised_);
}

void StopSignal::Raise() { eventfd_write(raised_, 1); }

bool StopSignal::Wait(absl::Duration timeout) {
  const int timeout_ms = timeout == absl::InfiniteDuration()
                             ? -1
                             : static_cast<int>(absl::ToInt64Milliseconds(
                                   absl::Ceil(timeout, absl::Milliseconds(1))));
  std::array<pollfd, 2> waiting = {
      {{.fd = came_, .events = POLLIN}, {.fd = raised_, .events = POLLIN}}};
  int ready = 0;
  do {
    ready = poll(waiting.data(), waiting.size(), timeout_ms);
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

void StopSignal::Release() {
  // One that came already is no next one.
  signalfd_siginfo taken;
  while (read(came_, &taken, sizeof(taken)) > 0) {
  }
  pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr);
}

void EndWellOnSignal() {
  for (const int signal_number : {SIGINT, SIGTERM}) {
    signal(signal_number, [](int) { _exit(0); });
  }
}

}  // namespace coord
