#include "common/url.h"
#include "tests/fuzz/must.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view text = coord::Input(data, size);
  if (const auto url = coord::ParseBaseUrl(text); url.ok()) {
    const auto again = coord::ParseBaseUrl(url->ToString());
    coord::Must(again.ok());
    coord::Must(again->ToString() == url->ToString());
  }
  if (coord::CheckCallPath(text).ok()) {
    coord::Must(text.find_first_of(" \r\n?#\\") == text.npos);
  }
  if (coord::CheckQuery(text).ok()) {
    coord::Must(text.find_first_of(" \r\n#") == text.npos);
  }
  coord::Must(coord::PercentDecode(coord::PercentEncode(text)) == text);
  return 0;
}
