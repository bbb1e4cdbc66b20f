// Debian builds abseil with a string_view of its own; ours is the standard's.
// These two cross the border, at no cost.
//
//   absl::StrCat("type ", AbslView(type));
//   std::string_view text = StdView(status.message());
#ifndef COMMON_TEXT_VIEW_H_
#define COMMON_TEXT_VIEW_H_

#include <string_view>

#include "absl/strings/string_view.h"

namespace coord {

inline absl::string_view AbslView(std::string_view text) {
  return {text.data(), text.size()};
}

inline std::string_view StdView(absl::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace coord

#endif  // COMMON_TEXT_VIEW_H_
