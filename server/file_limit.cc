#include "server/file_limit.h"

#include <sys/resource.h>

#include <limits>

#include "absl/strings/str_cat.h"

namespace coord {
namespace {

// gRPC clients, each of which has one connection, and a few files of our own.
constexpr std::uint64_t kAllowance = 1024;

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

std::uint64_t FilesNeeded(const Config& config) {
  // What comes in by a connection of the listener may go on by another, and as
  // many connections may rest as there may be node calls.
  return 2 * config.listener.max_connections +
         2 * static_cast<std::uint64_t>(config.fanout.max_node_calls) +
         config.http_client.max_total_idle + kAllowance;
}

std::string FileLimitWarning(std::uint64_t allowed, std::uint64_t needed) {
  if (allowed >= needed) return "";
  return absl::StrCat("open files are limited to ", allowed,
                      ", the settings may use ", needed,
                      ": raise the limit (LimitNOFILE, ulimit -n) or lower "
                      "--max-http-connections and --max-node-calls");
}

}  // namespace coord
