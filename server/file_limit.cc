#include "server/file_limit.h"

#include <sys/resource.h>

#include <algorithm>
#include <limits>
#include <type_traits>

#include "absl/strings/str_cat.h"

namespace coord {
namespace {

// gRPC clients, each of which has one connection, and a few files of our own.
std::uint64_t Allowance(std::uint64_t allowed) {
  constexpr std::uint64_t kMost = 1024;
  return std::min(kMost, allowed / 4);
}

// What one connection of the listener, or one node call, may have open.
constexpr std::uint64_t kFilesOfEach = 2;

// Fewer are of no use.
constexpr double kFewest = 16;

}  // namespace

std::uint64_t RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return std::numeric_limits<std::uint64_t>::max();
  }
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : before;
}

// What comes in by a connection of the listener may go on by another.
std::size_t ControlSockets(const Config& config) {
  return config.listener.max_connections + config.http_client.max_total_idle;
}

// As many connections may rest as there may be node calls.
std::size_t FanOutSockets(const Config& config) {
  return kFilesOfEach * static_cast<std::size_t>(config.fanout.max_node_calls);
}

std::uint64_t FilesNeeded(const Config& config, std::uint64_t allowed) {
  return config.listener.max_connections + ControlSockets(config) +
         FanOutSockets(config) + Allowance(allowed);
}

Config FitToFileLimit(Config config, std::uint64_t allowed) {
  const std::uint64_t needed = FilesNeeded(config, allowed);
  if (needed <= allowed) return config;
  std::uint64_t flexible = config.http_client.max_total_idle;
  if (!config.http_connections_set) {
    flexible += kFilesOfEach * config.listener.max_connections;
  }
  if (!config.node_calls_set) {
    flexible +=
        kFilesOfEach * static_cast<std::uint64_t>(config.fanout.max_node_calls);
  }
  const std::uint64_t missing = needed - allowed;
  if (missing >= flexible) return config;
  const double share =
      1 - static_cast<double>(missing) / static_cast<double>(flexible);
  const auto lower = [share](auto& limit) {
    limit = static_cast<std::decay_t<decltype(limit)>>(
        std::max(kFewest, share * static_cast<double>(limit)));
  };
  lower(config.http_client.max_total_idle);
  if (!config.http_connections_set) lower(config.listener.max_connections);
  if (!config.node_calls_set) lower(config.fanout.max_node_calls);
  return config;
}

std::string FileLimitWarning(std::uint64_t allowed, std::uint64_t needed) {
  if (allowed >= needed) return "";
  return absl::StrCat("open files are limited to ", allowed,
                      ", the settings may use ", needed,
                      ": raise the limit (LimitNOFILE, ulimit -n) or lower "
                      "--max-http-connections and --max-node-calls");
}

}  // namespace coord
