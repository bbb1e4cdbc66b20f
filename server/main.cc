// clusterd: reads its settings, starts the server, waits for a signal, stops.
#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <iostream>
#include <variant>

#include "absl/synchronization/mutex.h"
#include "common/log.h"
#include "server/config.h"
#include "server/server.h"
#include "server/version.h"
#include "spdlog/spdlog.h"

namespace {

// Blocked before any thread starts, so that only WaitForStop receives them.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

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
  const sigset_t signals = BlockStopSignals();
  std::signal(SIGPIPE, SIG_IGN);
  if (absl::Status logging =
          coord::SetUpLogging(config.log_format, config.log_level);
      !logging.ok()) {
    std::cerr << "clusterd: " << logging.message() << "\n";
    return 2;
  }

  absl::StatusOr<std::unique_ptr<coord::ClusterServer>> server =
      coord::ClusterServer::Start(config);
  if (!server.ok()) {
    std::cerr << "clusterd: " << server.status().message() << "\n";
    return 1;
  }

  int signal = 0;
  sigwait(&signals, &signal);
  spdlog::info("stopping, a second signal stops at once{}",
               coord::Fields({{"signal", strsignal(signal)}}));
  std::signal(SIGINT, [](int) { _exit(1); });
  std::signal(SIGTERM, [](int) { _exit(1); });
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  (*server)->Stop();
  spdlog::info("stopped");
  return 0;
}
