#include "server/http/http_date.h"

#include <string>

#include "absl/time/civil_time.h"
#include "common/text_view.h"

namespace coord {
namespace {

constexpr char kImfFixdate[] = "%a, %d %b %Y %H:%M:%S GMT";
constexpr char kRfc850[] = "%A, %d-%b-%y %H:%M:%S GMT";
constexpr char kAsctime[] = "%a %b %e %H:%M:%S %Y";

constexpr int kMostYearsAhead = 50;

std::optional<absl::Time> Parse(const char* format, std::string_view text) {
  absl::Time time;
  if (!absl::ParseTime(format, AbslView(text), absl::UTCTimeZone(), &time,
                       nullptr)) {
    return std::nullopt;
  }
  // ParseTime knows words for these.
  if (time == absl::InfiniteFuture() || time == absl::InfinitePast()) {
    return std::nullopt;
  }
  return time;
}

absl::Time InTheRightCentury(absl::Time time, absl::Time now) {
  const absl::TimeZone utc = absl::UTCTimeZone();
  const absl::CivilSecond given = absl::ToCivilSecond(time, utc);
  const absl::CivilSecond today = absl::ToCivilSecond(now, utc);
  const absl::CivilSecond latest(today.year() + kMostYearsAhead, today.month(),
                                 today.day(), today.hour(), today.minute(),
                                 today.second());
  const auto in_year = [&given](absl::civil_year_t year) {
    return absl::CivilSecond(year, given.month(), given.day(), given.hour(),
                             given.minute(), given.second());
  };
  absl::civil_year_t year =
      latest.year() - latest.year() % 100 + given.year() % 100;
  if (in_year(year) > latest) year -= 100;
  return absl::FromCivil(in_year(year), utc);
}

}  // namespace

std::optional<absl::Time> ParseHttpDate(std::string_view text, absl::Time now) {
  if (const auto time = Parse(kImfFixdate, text)) return time;
  if (const auto time = Parse(kRfc850, text)) {
    return InTheRightCentury(*time, now);
  }
  return Parse(kAsctime, text);
}

}  // namespace coord
