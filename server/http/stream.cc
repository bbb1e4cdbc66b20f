#include "server/http/stream.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace coord {

std::string ErrorText(const boost::system::error_code& error) {
  std::string text = error.message();
  if (!text.empty()) text[0] = absl::ascii_tolower(text[0]);
  return text;
}

std::string HostAndPort(const Origin& origin) {
  const bool is_v6 = absl::StrContains(origin.host, ':');
  return absl::StrCat(is_v6 ? "[" : "", origin.host, is_v6 ? "]" : "", ":",
                      origin.port);
}

}  // namespace coord
