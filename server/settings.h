// How settings are declared: each once, with its flag, environment name,
// default and help; a wrong value is named with what is allowed.
#ifndef SERVER_SETTINGS_H_
#define SERVER_SETTINGS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"

namespace CLI {
class App;
}  // namespace CLI

namespace coord {

// Says what is wrong with a value, such as `is not HOST:PORT`, or takes it and
// says nothing.
using SettingReader = std::function<std::string(const std::string&)>;

// The settings of one group, which stand together in the help. Targets must
// outlive the parsing; what they hold is the default that the help shows. Flags
// are declared in `--kebab-case`; the environment name is that of the reference
// where it has one, else CLUSTERD_ and the flag in capitals.
class SettingGroup {
 public:
  SettingGroup(CLI::App& app, std::string name)
      : app_(app), name_(std::move(name)) {}

  // A bare number is milliseconds.
  void Duration(const std::string& flag, const std::string& environment,
                absl::Duration& target, absl::Duration min, absl::Duration max,
                const std::string& help);

  template <typename Number>
  void Count(const std::string& flag, const std::string& environment,
             Number& target, std::int64_t min, std::int64_t max,
             const std::string& help) {
    Text(flag, environment, "N", absl::StrCat(target), help,
         [&target, min, max](const std::string& text) -> std::string {
           std::int64_t value = 0;
           if (!absl::SimpleAtoi(text, &value) || value < min || value > max) {
             return absl::StrCat("is not a whole number from ", min, " to ",
                                 max);
           }
           target = static_cast<Number>(value);
           return "";
         });
  }

  template <typename T>
  void OneOf(const std::string& flag, const std::string& environment, T& target,
             const std::vector<std::pair<std::string, T>>& allowed,
             const std::string& default_text, const std::string& help) {
    auto name = [](std::string* out, const std::pair<std::string, T>& choice) {
      out->append(choice.first);
    };
    Text(flag, environment, absl::StrJoin(allowed, "|", name), default_text,
         help, [&target, allowed, name](const std::string& text) {
           for (const auto& [choice, value] : allowed) {
             if (text != choice) continue;
             target = value;
             return std::string();
           }
           return absl::StrCat("is none of ",
                               absl::StrJoin(allowed, ", ", name));
         });
  }

  void OnOff(const std::string& flag, const std::string& environment,
             bool& target, const std::string& help);

  void Text(const std::string& flag, const std::string& environment,
            const std::string& placeholder, const std::string& default_text,
            const std::string& help, SettingReader read);

  // Any text. An empty one is taken where the default is empty.
  void Text(const std::string& flag, const std::string& environment,
            const std::string& placeholder, std::string& target,
            const std::string& help);

 private:
  CLI::App& app_;
  const std::string name_;
};

}  // namespace coord

#endif  // SERVER_SETTINGS_H_
