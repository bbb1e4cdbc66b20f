#include "common/correlation_id.h"

#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/text_view.h"

namespace coord {
namespace {

constexpr std::size_t kMaxName = 128;
constexpr std::size_t kMaxDate = 64;
constexpr std::size_t kMaxStepDigits = 9;

struct Parts {
  std::string_view name;
  std::int64_t step = -1;  // none yet
  std::string_view date;
};

// What does not end in `@<step>` or `@<step>/<date>` is all name.
Parts Split(std::string_view id) {
  const std::size_t at = id.rfind('@');
  if (at == id.npos) return {id};
  const std::string_view tail = id.substr(at + 1);
  const std::string_view step = tail.substr(0, tail.find('/'));
  Parts parts{id.substr(0, at)};
  if (step.size() > kMaxStepDigits ||
      !absl::SimpleAtoi(AbslView(step), &parts.step) || parts.step < 0) {
    return {id};
  }
  if (step.size() < tail.size()) parts.date = tail.substr(step.size() + 1);
  return parts;
}

}  // namespace

std::string NextCorrelationId(std::string_view received, std::string_view fresh,
                              absl::Time now) {
  std::string clean;
  for (const char c : received) {
    if (absl::ascii_isgraph(static_cast<unsigned char>(c))) clean += c;
  }
  const Parts parts = Split(clean);
  const std::string_view name = parts.name.empty() ? fresh : parts.name;
  const std::string date =
      parts.date.empty() ? FormatDate(now) : std::string(parts.date);
  return absl::StrCat(AbslView(name.substr(0, kMaxName)), "@", parts.step + 1,
                      "/", date.substr(0, kMaxDate));
}

std::string FormatDate(absl::Time time) {
  if (time == absl::InfinitePast() || time == absl::InfiniteFuture()) return "";
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
}

absl::Time ParseDate(std::string_view text) {
  // ParseTime would also take spaces around it and `infinite-future`.
  if (text.empty() ||
      !absl::ascii_isdigit(static_cast<unsigned char>(text.front())) ||
      absl::ascii_isspace(static_cast<unsigned char>(text.back()))) {
    return absl::InfinitePast();
  }
  absl::Time time;
  return absl::ParseTime(absl::RFC3339_full, AbslView(text), &time, nullptr)
             ? time
             : absl::InfinitePast();
}

}  // namespace coord
