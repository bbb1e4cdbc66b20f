// The correlation id that names one request across services:
// `<uuid>@<step>/<date>`.
#ifndef COMMON_CORRELATION_ID_H_
#define COMMON_CORRELATION_ID_H_

#include <string>
#include <string_view>

#include "absl/time/time.h"

namespace coord {

// The id of the next step: `abc@4/D` becomes `abc@5/D`; missing parts are added
// (`bye` becomes `bye@0/<now>`); an empty one gets `fresh` as its name. Bytes
// that no header may carry are dropped, as are spaces; a name is cut at 128
// bytes, a date at 64.
std::string NextCorrelationId(std::string_view received, std::string_view fresh,
                              absl::Time now);

// `2026-11-24T02:18:03.899Z`: how all dates on the wire look. Empty when `time`
// is infinite.
std::string FormatDate(absl::Time time);
// The inverse; InfinitePast when it is no date.
absl::Time ParseDate(std::string_view text);

}  // namespace coord

#endif  // COMMON_CORRELATION_ID_H_
