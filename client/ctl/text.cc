#include "client/ctl/text.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/cpp/proto_time.h"
#include "common/correlation_id.h"
#include "common/error.h"
#include "common/text_view.h"

namespace coord {
namespace {

std::string_view Trim(std::string_view text) {
  return StdView(absl::StripAsciiWhitespace(AbslView(text)));
}

// `SKIP_REASON_` for SkipReason.
std::string EnumPrefix(const std::string& name) {
  std::string prefix;
  for (const char c : name) {
    if (absl::ascii_isupper(c) && !prefix.empty()) prefix += '_';
    prefix += absl::ascii_toupper(c);
  }
  return prefix + '_';
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string printable;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool c1_control = byte == 0xC2 && i + 1 < text.size() &&
                            static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (byte < 0x20 || byte == 0x7F) {
      absl::StrAppendFormat(&printable, "\\x%02x", byte);
    } else if (c1_control) {
      absl::StrAppendFormat(&printable, "\\x%02x",
                            static_cast<unsigned char>(text[++i]));
    } else {
      printable += text[i];
    }
  }
  return printable;
}

std::string PrintableLines(std::string_view text) {
  std::vector<std::string> lines;
  for (const absl::string_view line : absl::StrSplit(
           absl::StripTrailingAsciiWhitespace(AbslView(text)), '\n')) {
    lines.push_back(Printable(StdView(absl::StripSuffix(line, "\r"))));
  }
  return absl::StrJoin(lines, "\n");
}

std::string Counted(int count, std::string_view noun) {
  return absl::StrCat(count, " ", AbslView(noun), count == 1 ? "" : "s");
}

std::string ShellQuote(std::string_view text) {
  return absl::StrCat(
      "'", absl::StrReplaceAll(AbslView(text), {{"'", "'\\''"}}), "'");
}

std::string ShortInterval(absl::Duration interval) {
  if (interval >= absl::Minutes(1)) {
    return absl::FormatDuration(absl::Trunc(interval, absl::Seconds(1)));
  }
  struct Unit {
    absl::Duration size;
    const char* name;
  };
  for (const Unit& unit :
       {Unit{absl::Seconds(1), "s"}, Unit{absl::Milliseconds(1), "ms"}}) {
    if (interval >= unit.size) {
      return absl::StrFormat("%.3g%s", absl::FDivDuration(interval, unit.size),
                             unit.name);
    }
  }
  return absl::StrCat(absl::ToInt64Microseconds(interval), "us");
}

std::string ShortInterval(const google::protobuf::Duration& interval) {
  if (interval.seconds() == 0 && interval.nanos() == 0) return "";
  return ShortInterval(FromProto(interval));
}

std::string AgeText(const google::protobuf::Duration& age) {
  const std::string interval = ShortInterval(age);
  return interval.empty() ? "" : interval + " old";
}

std::string Date(const google::protobuf::Timestamp& time) {
  if (time.seconds() == 0 && time.nanos() == 0) return "";
  return FormatDate(FromProto(time));
}

std::string StripEnumPrefix(const google::protobuf::EnumDescriptor& descriptor,
                            int value) {
  const auto* const found = descriptor.FindValueByNumber(value);
  if (found == nullptr) return absl::StrCat(value);  // of a newer clusterd
  const std::string prefix = EnumPrefix(descriptor.name());
  return found->name().starts_with(prefix) ? found->name().substr(prefix.size())
                                           : found->name();
}

std::vector<std::string_view> JsonElements(std::string_view array) {
  array = Trim(array);
  if (array.size() < 2 || array.front() != '[' || array.back() != ']') {
    return {array};
  }
  array = array.substr(1, array.size() - 2);
  std::vector<std::string_view> elements;
  std::size_t begin = 0;
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < array.size(); ++i) {
    const char c = array[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      ++depth;
    } else if (c == ']' || c == '}') {
      --depth;
    } else if (c == ',' && depth == 0) {
      elements.push_back(Trim(array.substr(begin, i - begin)));
      begin = i + 1;
    }
  }
  const std::string_view last = Trim(array.substr(begin));
  if (!last.empty()) elements.push_back(last);
  return elements;
}

std::string HelpLines(
    const std::vector<std::pair<std::string, std::string>>& lines,
    std::size_t min_width) {
  std::size_t width = min_width;
  for (const auto& [left, right] : lines) width = std::max(width, left.size());
  std::string text;
  for (const auto& [left, right] : lines) {
    absl::StrAppend(&text, "  ", left,
                    std::string(width - left.size() + 2, ' '), right, "\n");
  }
  return text;
}

std::string ErrorText(const absl::Status& status) {
  const ErrorDetail detail = DetailOf(status);
  std::string text = Printable(StdView(status.message()));
  if (text.empty()) text = absl::StatusCodeToString(status.code());
  if (detail.reason.has_value() && detail.violations.empty()) {
    absl::StrAppend(&text, " (", AbslView(ReasonName(*detail.reason)), ")");
  }
  if (detail.violations.size() > 1) {
    text = "several fields are invalid:";
    for (const FieldViolation& violation : detail.violations) {
      absl::StrAppend(&text, "\n  ", Printable(violation.field), ": ",
                      Printable(violation.description));
    }
  }
  return text;
}

}  // namespace coord
