// Dates in HTTP headers.
#ifndef SERVER_HTTP_HTTP_DATE_H_
#define SERVER_HTTP_HTTP_DATE_H_

#include <optional>
#include <string_view>

#include "absl/time/time.h"

namespace coord {

// Reads an HTTP-date in any of its three forms (RFC 9110, 5.6.7). The two
// digits of a year in the RFC 850 form mean the latest one that is at most 50
// years after `now`, a time of day. nullopt: it is none.
std::optional<absl::Time> ParseHttpDate(std::string_view text, absl::Time now);

}  // namespace coord

#endif  // SERVER_HTTP_HTTP_DATE_H_
