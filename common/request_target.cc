#include "common/request_target.h"

#include "common/url.h"

namespace coord {

bool IsTargetCharacter(char c) {
  return c > ' ' && c < 0x7f && c != '"' && c != '#' && c != '<' && c != '>';
}

std::string EscapeTarget(std::string_view target) {
  std::string escaped;
  escaped.reserve(target.size());
  for (const char c : target) {
    escaped +=
        IsTargetCharacter(c) ? std::string(1, c) : PercentEncode({&c, 1});
  }
  return escaped;
}

}  // namespace coord
