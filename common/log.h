// Logging set-up. Everything logs through spdlog's default logger, one line per
// event: a message in lower case and key=value pairs.
//
//   spdlog::info("registered{}", Fields({{"type", type}, {"server_id", id}}));
#ifndef COMMON_LOG_H_
#define COMMON_LOG_H_

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"

namespace coord {

enum class LogFormat { kText, kJson };

// Sends the default logger to standard error in `format`, from `level` on
// (`trace`, `debug`, `info`, `warn`, `error`, `off`). Errors: INVALID_ARGUMENT
// for another level, with what is allowed.
absl::Status SetUpLogging(LogFormat format, std::string_view level);

// ` key=value key="with spaces"`: quoted and escaped where needed, so that
// a value can't forge a line or a field.
std::string Fields(
    std::initializer_list<std::pair<std::string_view, std::string_view>> pairs);

}  // namespace coord

#endif  // COMMON_LOG_H_
