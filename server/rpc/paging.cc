#include "server/rpc/paging.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/error.h"
#include "common/text_view.h"

namespace coord {
namespace {

constexpr int kDefaultPageSize = 100;
constexpr int kMaxPageSize = 1000;
// Sorts before all that names contain.
constexpr char kSeparator = '\0';

}  // namespace

absl::StatusOr<PageRequest> ParsePageRequest(std::string_view list,
                                             std::int32_t page_size,
                                             std::string_view page_token) {
  if (page_size < 0) return InvalidField("page_size", "must not be negative");
  PageRequest page;
  page.size = page_size == 0 ? kDefaultPageSize
                             : std::min<int>(page_size, kMaxPageSize);
  if (page_token.empty()) return page;
  const std::string prefix = absl::StrCat(AbslView(list), ":");
  std::string text;
  if (!absl::WebSafeBase64Unescape(AbslView(page_token), &text) ||
      !absl::StartsWith(text, prefix) || text.size() == prefix.size()) {
    return InvalidField("page_token",
                        "must be a next_page_token of the same list");
  }
  page.after = text.substr(prefix.size());
  return page;
}

std::string PageToken(std::string_view list, std::string_view last_key) {
  return absl::WebSafeBase64Escape(
      absl::StrCat(AbslView(list), ":", AbslView(last_key)));
}

std::string ListKey(std::initializer_list<absl::string_view> names) {
  return absl::StrJoin(names, absl::string_view(&kSeparator, 1));
}

std::vector<std::string> NamesIn(const std::string& key, std::size_t count) {
  std::vector<std::string> names = absl::StrSplit(key, kSeparator);
  names.resize(count);
  return names;
}

}  // namespace coord
