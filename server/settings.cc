#include "server/settings.h"

#include <CLI/CLI.hpp>
#include <optional>

namespace coord {
namespace {

std::optional<absl::Duration> ParseDuration(const std::string& text) {
  std::int64_t milliseconds = 0;
  if (absl::SimpleAtoi(text, &milliseconds)) {
    return absl::Milliseconds(milliseconds);
  }
  absl::Duration duration;
  if (absl::ParseDuration(text, &duration)) return duration;
  return std::nullopt;
}

}  // namespace

void SettingGroup::Duration(const std::string& flag,
                            const std::string& environment,
                            absl::Duration& target, absl::Duration min,
                            absl::Duration max, const std::string& help) {
  Text(flag, environment, "DURATION", absl::FormatDuration(target), help,
       [&target, min, max](const std::string& text) -> std::string {
         const std::optional<absl::Duration> value = ParseDuration(text);
         if (!value || *value < min || *value > max) {
           return absl::StrCat(
               "is not a duration from ", absl::FormatDuration(min), " to ",
               absl::FormatDuration(max), ", such as 500ms or 1m30s");
         }
         target = *value;
         return "";
       });
}

void SettingGroup::OnOff(const std::string& flag,
                         const std::string& environment, bool& target,
                         const std::string& help) {
  OneOf<bool>(flag, environment, target, {{"on", true}, {"off", false}},
              target ? "on" : "off", help);
}

void SettingGroup::Text(const std::string& flag, const std::string& environment,
                        const std::string& placeholder,
                        const std::string& default_text,
                        const std::string& help, SettingReader read) {
  // Names both, since the value may come from either.
  const std::string names = absl::StrCat(flag, " (", environment, ")");
  auto checked = [names, read = std::move(read)](const std::string& text) {
    const std::string wrong = read(text);
    if (!wrong.empty()) {
      throw CLI::ValidationError(names, absl::StrCat("`", text, "` ", wrong));
    }
  };
  CLI::Option* option =
      app_.add_option_function<std::string>(flag, checked, help);
  option->group(name_)->type_name(placeholder)->default_str(default_text);
  option->envname(environment);
}

void SettingGroup::Text(const std::string& flag, const std::string& environment,
                        const std::string& placeholder, std::string& target,
                        const std::string& help) {
  Text(flag, environment, placeholder, target, help,
       [&target, may_be_empty = target.empty()](const std::string& text) {
         if (text.empty() && !may_be_empty) return std::string("is empty");
         target = text;
         return std::string();
       });
}

}  // namespace coord
