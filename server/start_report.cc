#include "server/start_report.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "server/file_limit.h"
#include "server/version.h"
#include "spdlog/spdlog.h"

namespace coord {

void TellStart(const Config& config, std::uint64_t files,
               std::string_view grpc_address, std::string_view http_address) {
  const std::string warning =
      FileLimitWarning(files, FilesNeeded(config, files));
  if (!warning.empty()) spdlog::warn(warning);
  spdlog::info(
      "serving{}",
      Fields(
          {{"version", kVersion},
           {"grpc", grpc_address},
           {"http", http_address},
           {"registry", config.mit ? "mit" : "embedded"},
           {"mit_served", config.serve_mit ? "yes" : "no"},
           {"data_dir", config.data_dir.empty() ? "(memory)" : config.data_dir},
           {"max_files", absl::StrCat(files)},
           {"max_http_connections",
            absl::StrCat(config.listener.max_connections)},
           {"max_node_calls", absl::StrCat(config.fanout.max_node_calls)}}));
}

}  // namespace coord
