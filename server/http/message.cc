#include "server/http/message.h"

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

}  // namespace coord
