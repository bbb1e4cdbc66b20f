#include "server/http/single_header.h"

#include <algorithm>
#include <array>

#include "absl/strings/match.h"
#include "common/text_view.h"

namespace coord {

bool IsSingleHeader(std::string_view name) {
  constexpr std::array<std::string_view, 3> kSingle = {"host", "authorization",
                                                       "content-type"};
  return std::any_of(
      kSingle.begin(), kSingle.end(), [name](std::string_view single) {
        return absl::EqualsIgnoreCase(AbslView(name), AbslView(single));
      });
}

}  // namespace coord
