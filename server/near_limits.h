// Which of this process's own limits are nearly reached: what an operator looks
// at first where servers seem to be dead.
#ifndef SERVER_NEAR_LIMITS_H_
#define SERVER_NEAR_LIMITS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace coord {

struct LimitUse {
  std::string what;  // `open files`
  std::uint64_t used = 0;
  std::uint64_t allowed = 0;
};

// Those of which 80 % are used: `open files 250 of 256, …`; empty when there is
// none.
std::string NearLimits(const std::vector<LimitUse>& uses);

// Files that this process has open; 0 where the system does not tell. Costs a
// system call for every few hundred.
std::uint64_t CountOpenFiles();

}  // namespace coord

#endif  // SERVER_NEAR_LIMITS_H_
