#include "server/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace coord {
namespace {

// Whether `argument`, where a value is wanted, was hardly meant as one. A
// single dash may begin a number or a text.
bool LooksLikeFlag(std::string_view argument) {
  return argument.starts_with("--") || argument == "-h";
}

// The setting that has this name; nullptr for everything else.
const CLI::Option* FindSetting(const CLI::App& app, const std::string& name) {
  if (!name.starts_with("--")) return nullptr;
  const CLI::Option* option = app.get_option_no_throw(name);
  const bool takes_value =
      option != nullptr && option->get_items_expected_min() > 0;
  return takes_value ? option : nullptr;
}

absl::Status NeedsValue(const std::string& flag, const CLI::Option& setting,
                        const std::string& why) {
  return absl::InvalidArgumentError(
      absl::StrCat(flag, ": needs a value: ", setting.get_type_name(), why));
}

// Of the other names that Kubernetes makes of those of services
// (…_SERVICE_HOST, …_PORT_8080_TCP_ADDR) no setting has one.
bool IsServiceLink(std::string_view variable, std::string_view value) {
  if (!variable.ends_with("_PORT")) return false;
  for (const std::string_view protocol : {"tcp://", "udp://", "sctp://"}) {
    if (value.starts_with(protocol)) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> NormalArguments(
    const CLI::App& app, const std::vector<std::string>& arguments) {
  std::vector<std::string> normal;
  for (std::size_t at = 0; at < arguments.size(); ++at) {
    const std::string& argument = arguments[at];
    const std::size_t equals = argument.find('=');
    const std::string flag = argument.substr(0, equals);
    std::string name = flag;
    std::replace(name.begin(), name.end(), '_', '-');
    const CLI::Option* setting = FindSetting(app, name);
    if (setting == nullptr) {
      normal.push_back(argument);
      continue;
    }
    normal.push_back(std::move(name));
    if (equals != std::string::npos) {
      normal.push_back(argument.substr(equals + 1));
      continue;
    }
    if (++at == arguments.size()) return NeedsValue(flag, *setting, "");
    if (LooksLikeFlag(arguments[at])) {
      return NeedsValue(flag, *setting,
                        absl::StrCat("; `", arguments[at],
                                     "` looks like a flag, and is taken as a "
                                     "value after = only"));
    }
    normal.push_back(arguments[at]);
  }
  return normal;
}

std::vector<ServiceLink> LeaveServiceLinks(CLI::App& app) {
  std::vector<ServiceLink> links;
  for (CLI::Option* option : app.get_options()) {
    const std::string variable = option->get_envname();
    const char* value = std::getenv(variable.c_str());
    if (value == nullptr || !IsServiceLink(variable, value)) continue;
    option->envname("");
    links.push_back({variable, value, option->get_name()});
  }
  return links;
}

}  // namespace coord
