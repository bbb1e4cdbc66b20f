#include "common/trace_context.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "common/text_view.h"

namespace coord {
namespace {

// `<version>-<trace-id>-<parent-id>-<flags>`, all in lower-case hex digits.
constexpr std::size_t kVersionDigits = 2;
constexpr std::size_t kTraceIdDigits = 32;
constexpr std::size_t kParentIdDigits = 16;
constexpr std::size_t kFlagsDigits = 2;
constexpr std::size_t kMaxParentBytes = 256;  // of versions to come

constexpr std::size_t kMaxStateBytes = 512;
constexpr std::size_t kMaxStateMembers = 32;
constexpr std::size_t kMaxKeyBytes = 256;
constexpr std::size_t kMaxValueBytes = 256;

// Takes so many hex digits off the front; empty when they are not there.
std::string_view TakeHex(std::string_view& text, std::size_t digits) {
  const std::string_view taken = text.substr(0, digits);
  const bool hex = std::all_of(taken.begin(), taken.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
  if (taken.size() < digits || !hex) return {};
  text.remove_prefix(digits);
  return taken;
}

bool TakeDash(std::string_view& text) {
  if (!text.starts_with('-')) return false;
  text.remove_prefix(1);
  return true;
}

bool IsAllZeros(std::string_view digits) {
  return digits.find_first_not_of('0') == std::string_view::npos;
}

// Versions to come may say more at the end.
bool IsTraceParent(std::string_view text) {
  if (text.size() > kMaxParentBytes) return false;
  const std::string_view version = TakeHex(text, kVersionDigits);
  if (version.empty() || version == "ff" || !TakeDash(text)) return false;
  if (IsAllZeros(TakeHex(text, kTraceIdDigits)) || !TakeDash(text)) {
    return false;
  }
  if (IsAllZeros(TakeHex(text, kParentIdDigits)) || !TakeDash(text)) {
    return false;
  }
  if (TakeHex(text, kFlagsDigits).empty()) return false;
  if (text.empty()) return true;
  const bool printable = std::all_of(
      text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  return version != "00" && text.starts_with('-') && printable;
}

bool IsKey(std::string_view key) {
  if (key.empty() || key.size() > kMaxKeyBytes) return false;
  const auto may_begin = [](char c) {
    return absl::ascii_islower(static_cast<unsigned char>(c)) ||
           absl::ascii_isdigit(static_cast<unsigned char>(c));
  };
  return may_begin(key.front()) &&
         std::all_of(key.begin(), key.end(), [&](char c) {
           return may_begin(c) || c == '_' || c == '-' || c == '*' ||
                  c == '/' || c == '@';
         });
}

bool IsValue(std::string_view value) {
  return !value.empty() && value.size() <= kMaxValueBytes &&
         std::all_of(value.begin(), value.end(), [](char c) {
           return c >= ' ' && c < '\x7f' && c != ',' && c != '=';
         });
}

bool IsTraceState(std::string_view text) {
  if (text.size() > kMaxStateBytes) return false;
  std::size_t members = 0;
  for (const absl::string_view part : absl::StrSplit(AbslView(text), ',')) {
    const std::string_view member = StdView(absl::StripAsciiWhitespace(part));
    if (member.empty()) continue;
    const std::size_t equals = member.find('=');
    if (equals == std::string_view::npos || !IsKey(member.substr(0, equals)) ||
        !IsValue(member.substr(equals + 1))) {
      return false;
    }
    ++members;
  }
  return members > 0 && members <= kMaxStateMembers;
}

}  // namespace

TraceContext ReadTraceContext(std::string_view parent, std::string_view state) {
  if (!IsTraceParent(parent)) return {};
  return {std::string(parent),
          IsTraceState(state) ? std::string(state) : std::string()};
}

}  // namespace coord
