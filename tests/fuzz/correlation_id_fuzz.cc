#include "absl/strings/ascii.h"
#include "absl/time/time.h"
#include "common/correlation_id.h"
#include "common/utf8.h"
#include "tests/fuzz/must.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view text = coord::Input(data, size);
  const std::string next =
      coord::NextCorrelationId(text, "fresh", absl::UnixEpoch());
  for (const unsigned char c : next) coord::Must(absl::ascii_isprint(c));

  const absl::Time date = coord::ParseDate(text);
  if (date != absl::InfinitePast()) {
    coord::Must(coord::ParseDate(coord::FormatDate(date)) == date);
  }

  coord::Must(coord::IsValidUtf8(coord::EscapeInvalidUtf8(text)));
  for (const unsigned char c : coord::EscapeHeaderValue(std::string(text))) {
    coord::Must(absl::ascii_isprint(c));
  }
  return 0;
}
