// clusterd: reads its settings, starts the server, waits for a signal, stops.
#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <iostream>
#include <thread>
#include <variant>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/log.h"
#include "common/text_view.h"
#include "server/config.h"
#include "server/server.h"
#include "server/stop_schedule.h"
#include "server/version.h"
#include "spdlog/spdlog.h"

namespace {

// SIGINT and SIGTERM. The first one asks for a stop, a second one ends the
// process at once, as does the first when the start does not end soon: nothing
// that was acknowledged is lost by it.
class StopSignals {
 public:
  // Before any thread starts, so that only the one of Watch receives them.
  StopSignals() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }

  // Starts a thread that lives as long as the process; so must this object.
  void Watch() {
    std::thread([this] { OnSignals(); }).detach();
  }

  // Once the server serves. Returns when it is to be stopped.
  void WaitForStop() {
    started_.Notify();
    stop_.WaitForNotification();
  }

 private:
  [[noreturn]] void OnSignals() {
    int signal = 0;
    sigwait(&signals_, &signal);
    spdlog::info("stopping, a second signal stops at once{}",
                 coord::Fields({{"signal", strsignal(signal)}}));
    std::signal(SIGINT, [](int) { _exit(1); });
    std::signal(SIGTERM, [](int) { _exit(1); });
    pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr);
    if (!started_.WaitForNotificationWithTimeout(
            coord::StopSchedule::kMargin)) {
      spdlog::error("stopped before it had started");
      _exit(1);
    }
    stop_.Notify();
    for (;;) pause();
  }

  sigset_t signals_;
  absl::Notification started_;
  absl::Notification stop_;
};

}  // namespace

int main(int argc, char** argv) {
  std::variant<coord::Config, coord::EarlyExit> parsed =
      coord::ParseCommandLine(argc, argv);
  if (const auto* exit = std::get_if<coord::EarlyExit>(&parsed)) {
    (exit->exit_code == 0 ? std::cout : std::cerr) << exit->text;
    return exit->exit_code;
  }
  const auto& config = std::get<coord::Config>(parsed);

  // Debian's Abseil watches all locks, gRPC's among them, for cycles: 2 % of
  // the CPU of a fan-out.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  static StopSignals signals;
  std::signal(SIGPIPE, SIG_IGN);
  if (absl::Status logging =
          coord::SetUpLogging(config.log_format, config.log_level);
      !logging.ok()) {
    std::cerr << "clusterd: " << logging.message() << "\n";
    return 2;
  }
  for (const coord::ServiceLink& link : config.service_links) {
    spdlog::info("ignoring a variable by which Kubernetes tells of a service{}",
                 coord::Fields({{"variable", link.variable},
                                {"value", link.value},
                                {"use_instead", link.flag}}));
  }

  signals.Watch();

  absl::StatusOr<std::unique_ptr<coord::ClusterServer>> server =
      coord::ClusterServer::Start(config);
  if (!server.ok()) {
    std::cerr << "clusterd: " << server.status().message() << "\n";
    return 1;
  }

  signals.WaitForStop();
  if (absl::Status stopped = (*server)->Stop(); !stopped.ok()) {
    spdlog::error("{}", coord::StdView(stopped.message()));
    _exit(1);  // without the destructors, which would wait
  }
  spdlog::info("stopped");
  return 0;
}
