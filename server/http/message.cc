#include "server/http/message.h"

#include <algorithm>
#include <array>

#include "absl/strings/match.h"
#include "common/text_view.h"

namespace coord {

std::string_view FindHeader(const HttpHeaders& headers, std::string_view name) {
  for (const HttpHeader& header : headers) {
    if (absl::EqualsIgnoreCase(header.name, AbslView(name)))
      return header.value;
  }
  return {};
}

bool IsIdempotentMethod(std::string_view method) {
  constexpr std::array<std::string_view, 6> kIdempotent = {
      "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
  return std::find(kIdempotent.begin(), kIdempotent.end(), method) !=
         kIdempotent.end();
}

}  // namespace coord
