#include "client/ctl/args.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/ctl/text.h"
#include "common/text_view.h"

namespace coord {
namespace {

constexpr absl::Duration kLongestInterval = absl::Hours(24);

absl::Status Bad(std::string_view what, std::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat(AbslView(what), ": ", AbslView(why)));
}

absl::Status NotAllowed(std::string_view text, std::string_view allowed) {
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", AbslView(text), "\" is not allowed; use ", AbslView(allowed)));
}

// As an offset of iterators.
std::ptrdiff_t From(std::size_t index) {
  return static_cast<std::ptrdiff_t>(index);
}

bool IsOption(std::string_view argument) {
  return argument.size() > 1 && argument.starts_with('-');
}

// Whether `argument`, where a value is wanted, was hardly meant as one. A
// single dash may begin a number or a text.
bool LooksLikeOption(std::string_view argument) {
  return argument.starts_with("--") || argument == "-h";
}

// The name under which an option is declared.
std::string DeclaredName(std::string_view name) {
  if (name == "-h") return "--help";
  std::string declared(name);
  if (name.starts_with("--")) {
    std::replace(declared.begin(), declared.end(), '_', '-');
  }
  return declared;
}

// A script whose variable is not set must not act on more than it meant.
absl::Status NotEmpty(std::string_view text) {
  return text.empty() ? absl::InvalidArgumentError("must not be empty")
                      : absl::OkStatus();
}

}  // namespace

ValueParser Text(std::string* value) {
  return [value](std::string_view text) {
    *value = text;
    return NotEmpty(text);
  };
}

ValueParser TextList(std::vector<std::string>* values) {
  return [values](std::string_view text) {
    values->emplace_back(text);
    return NotEmpty(text);
  };
}

ValueParser Number(std::int64_t min, std::int64_t max, std::int64_t* value) {
  return [min, max, value](std::string_view text) {
    std::int64_t number = 0;
    if (!absl::SimpleAtoi(AbslView(text), &number) || number < min ||
        number > max) {
      return NotAllowed(text,
                        absl::StrCat("a whole number from ", min, " to ", max));
    }
    *value = number;
    return absl::OkStatus();
  };
}

absl::StatusOr<absl::Duration> ParseInterval(std::string_view text) {
  absl::Duration interval;
  if (!absl::ParseDuration(AbslView(text), &interval) ||
      interval <= absl::ZeroDuration() || interval > kLongestInterval) {
    return NotAllowed(text,
                      "a duration with its unit, such as 500ms, 5s, 2m or 1h, "
                      "of at most 24h");
  }
  return interval;
}

ValueParser Interval(absl::Duration* value) {
  return [value](std::string_view text) {
    const absl::StatusOr<absl::Duration> interval = ParseInterval(text);
    if (interval.ok()) *value = *interval;
    return interval.status();
  };
}

ValueParser Interval(std::optional<absl::Duration>* value) {
  return [value](std::string_view text) {
    const absl::StatusOr<absl::Duration> interval = ParseInterval(text);
    if (interval.ok()) *value = *interval;
    return interval.status();
  };
}

ValueParser OneOf(std::vector<std::string> allowed, std::size_t* index) {
  return [allowed = std::move(allowed), index](std::string_view text) {
    const auto it = std::find(allowed.begin(), allowed.end(), text);
    if (it == allowed.end()) {
      return NotAllowed(text, absl::StrJoin(allowed, ", "));
    }
    *index = static_cast<std::size_t>(it - allowed.begin());
    return absl::OkStatus();
  };
}

void ArgParser::Flag(std::string name, std::string help, bool* value) {
  options_.push_back({section_, std::move(name), "", std::move(help),
                      [value](std::string_view) {
                        *value = true;
                        return absl::OkStatus();
                      }});
}

void ArgParser::Option(std::string name, std::string placeholder,
                       std::string help, ValueParser parser) {
  options_.push_back({section_, std::move(name), std::move(placeholder),
                      std::move(help), std::move(parser)});
}

void ArgParser::Positional(std::string name, std::string help,
                           ValueParser parser, Count count) {
  positionals_.push_back(
      {std::move(name), std::move(help), std::move(parser), count});
}

void ArgParser::Section(std::string heading) { section_ = std::move(heading); }

absl::Status ArgParser::Parse(const std::vector<std::string>& args) {
  std::vector<std::string> values;
  for (std::size_t at = 0; at < args.size();) {
    if (args[at] == "--") {
      values.insert(values.end(), std::next(args.begin(), From(at + 1)),
                    args.end());
      break;
    }
    if (IsOption(args[at])) {
      const absl::StatusOr<std::size_t> taken = TakeOption(args, at);
      if (!taken.ok()) return taken.status();
      at += *taken;
    } else {
      values.push_back(args[at++]);
    }
  }
  return TakePositionals(values);
}

absl::StatusOr<std::vector<std::string>> ArgParser::ParseOptions(
    std::vector<std::string> args) {
  while (!args.empty() && IsOption(args.front())) {
    const absl::StatusOr<std::size_t> taken = TakeOption(args, 0);
    if (!taken.ok()) return taken.status();
    args.erase(args.begin(), std::next(args.begin(), From(*taken)));
  }
  return args;
}

absl::StatusOr<std::size_t> ArgParser::TakeOption(
    const std::vector<std::string>& args, std::size_t at) {
  const std::string_view argument = args[at];
  const std::size_t equals = argument.find('=');
  const bool has_value = equals != std::string_view::npos;
  const std::string_view name = argument.substr(0, equals);
  const absl::StatusOr<const OptionSpec*> option = FindOption(name);
  if (!option.ok()) return option.status();

  const bool is_flag = (*option)->placeholder.empty();
  std::string_view value;
  std::size_t taken = 1;
  if (has_value) {
    if (is_flag) return Bad(name, "takes no value");
    value = argument.substr(equals + 1);
  } else if (!is_flag) {
    const std::string needs =
        absl::StrCat("needs a value: ", (*option)->placeholder);
    if (at + 1 == args.size()) return Bad(name, needs);
    value = args[at + 1];
    if (LooksLikeOption(value)) {
      return Bad(name, absl::StrCat(needs, "; \"", AbslView(value),
                                    "\" looks like an option, and is taken as "
                                    "a value after = only"));
    }
    taken = 2;
  }
  const absl::Status status = (*option)->parser(value);
  if (!status.ok()) return Bad(name, StdView(status.message()));
  return taken;
}

absl::StatusOr<const ArgParser::OptionSpec*> ArgParser::FindOption(
    std::string_view name) const {
  const std::string declared = DeclaredName(name);
  for (const OptionSpec& option : options_) {
    if (option.name == declared) return &option;
  }
  const auto append_name = [](std::string* out, const OptionSpec& option) {
    out->append(option.name);
  };
  return Bad(name, absl::StrCat("unknown option; options are ",
                                absl::StrJoin(options_, ", ", append_name)));
}

absl::Status ArgParser::TakePositionals(
    const std::vector<std::string>& values) {
  std::size_t at = 0;
  for (const PositionalSpec& positional : positionals_) {
    if (at == values.size()) {
      if (positional.count == Count::kAtMostOne) break;
      return Bad(positional.name, "missing");
    }
    do {
      const absl::Status status = positional.parser(values[at++]);
      if (!status.ok()) return Bad(positional.name, StdView(status.message()));
    } while (positional.count == Count::kOneOrMore && at < values.size());
  }
  if (at < values.size()) {
    return Bad(values[at], "unexpected argument");
  }
  return absl::OkStatus();
}

std::string ArgParser::Usage() const {
  std::string usage = "[options]";
  for (const PositionalSpec& positional : positionals_) {
    switch (positional.count) {
      case Count::kOne:
        absl::StrAppend(&usage, " ", positional.name);
        break;
      case Count::kAtMostOne:
        absl::StrAppend(&usage, " [", positional.name, "]");
        break;
      case Count::kOneOrMore:
        absl::StrAppend(&usage, " ", positional.name, "...");
        break;
    }
  }
  return usage;
}

std::string ArgParser::Help() const {
  std::string help;
  if (!positionals_.empty()) {
    std::vector<std::pair<std::string, std::string>> lines;
    for (const PositionalSpec& p : positionals_) {
      lines.emplace_back(p.name, p.help);
    }
    absl::StrAppend(&help, "\nArguments:\n", HelpLines(lines));
  }
  std::vector<std::string> sections;
  for (const OptionSpec& o : options_) {
    if (std::find(sections.begin(), sections.end(), o.section) ==
        sections.end()) {
      sections.push_back(o.section);
    }
  }
  for (const std::string& section : sections) {
    std::vector<std::pair<std::string, std::string>> lines;
    for (const OptionSpec& o : options_) {
      if (o.section != section) continue;
      lines.emplace_back(o.placeholder.empty()
                             ? o.name
                             : absl::StrCat(o.name, " ", o.placeholder),
                         o.help);
    }
    absl::StrAppend(&help, "\n", section, ":\n", HelpLines(lines));
  }
  return help;
}

}  // namespace coord
