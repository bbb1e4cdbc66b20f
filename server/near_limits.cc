#include "server/near_limits.h"

#include <filesystem>
#include <iterator>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace coord {

std::string NearLimits(const std::vector<LimitUse>& uses) {
  std::string near;
  for (const LimitUse& use : uses) {
    if (use.used < use.allowed - use.allowed / 5) continue;
    absl::StrAppend(&near, near.empty() ? "" : ", ", use.what, " ", use.used,
                    " of ", use.allowed);
  }
  return near;
}

std::uint64_t CountOpenFiles() {
  std::error_code error;
  const std::filesystem::directory_iterator files("/proc/self/fd", error);
  if (error) return 0;
  // One is the folder's own.
  return static_cast<std::uint64_t>(
             std::distance(begin(files), std::filesystem::end(files))) -
         1;
}

}  // namespace coord
