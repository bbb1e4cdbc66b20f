// The target of a request line: a path, and perhaps a query.
#ifndef COMMON_REQUEST_TARGET_H_
#define COMMON_REQUEST_TARGET_H_

#include <string>
#include <string_view>

namespace coord {

// Whether `c` may stand in a target as it is: visible ASCII but for `"`, `#`,
// `<` and `>`, which every browser escapes. One rule for what our client sends
// and what our listener takes.
bool IsTargetCharacter(char c);

// `target` with all other characters as %XX.
std::string EscapeTarget(std::string_view target);

}  // namespace coord

#endif  // COMMON_REQUEST_TARGET_H_
