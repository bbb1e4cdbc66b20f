// Command line arguments: options, positional arguments, and their help.
#ifndef CLIENT_CTL_ARGS_H_
#define CLIENT_CTL_ARGS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace coord {

// Takes the text of a value. An error says what would be allowed.
using ValueParser = std::function<absl::Status(std::string_view)>;

// Any text but an empty one.
ValueParser Text(std::string* value);
ValueParser TextList(std::vector<std::string>* values);
// A whole number from `min` to `max`.
ValueParser Number(std::int64_t min, std::int64_t max, std::int64_t* value);
// `500ms`, `5s`, `2m`, `1h`; more than zero and at most 24 hours.
ValueParser Interval(absl::Duration* value);
ValueParser Interval(std::optional<absl::Duration>* value);
// The index of the value in `allowed`.
ValueParser OneOf(std::vector<std::string> allowed, std::size_t* index);

absl::StatusOr<absl::Duration> ParseInterval(std::string_view text);

enum class Count { kOne, kAtMostOne, kOneOrMore };

// Declare first, then parse once. What parsers write to must outlive it.
class ArgParser {
 public:
  // `name` in `--kebab-case`; `--snake-case` is taken for the same. `help` is
  // one line.
  void Flag(std::string name, std::string help, bool* value);
  // `placeholder` stands for the value in the help.
  void Option(std::string name, std::string placeholder, std::string help,
              ValueParser parser);
  // In the order in which they are given; only the last may be other than kOne.
  void Positional(std::string name, std::string help, ValueParser parser,
                  Count count = Count::kOne);
  // The options that follow stand under this heading in the help.
  void Section(std::string heading);

  // `--name value`, `--name=value`; `--` ends the options. A value that looks
  // like an option must follow `=`. Errors: INVALID_ARGUMENT, naming what was
  // wrong and what is allowed.
  absl::Status Parse(const std::vector<std::string>& args);
  // The same, up to the first argument that is no option. Returns that and what
  // follows.
  absl::StatusOr<std::vector<std::string>> ParseOptions(
      std::vector<std::string> args);

  // `[options] TYPE PATH…`.
  std::string Usage() const;
  // Arguments and options, one per line, under their headings.
  std::string Help() const;

 private:
  struct OptionSpec {
    std::string section;
    std::string name;
    std::string placeholder;  // empty: a flag
    std::string help;
    ValueParser parser;
  };
  struct PositionalSpec {
    std::string name;
    std::string help;
    ValueParser parser;
    Count count;
  };

  // Takes the option at `args[at]`, and its value. How many were taken.
  absl::StatusOr<std::size_t> TakeOption(const std::vector<std::string>& args,
                                         std::size_t at);
  absl::StatusOr<const OptionSpec*> FindOption(std::string_view name) const;
  absl::Status TakePositionals(const std::vector<std::string>& values);

  std::string section_ = "Options";
  std::vector<OptionSpec> options_;
  std::vector<PositionalSpec> positionals_;
};

}  // namespace coord

#endif  // CLIENT_CTL_ARGS_H_
