// Pages of a list that is sorted by some key: the token holds the last key of
// the page before, so that lists may change between pages.
#ifndef SERVER_RPC_PAGING_H_
#define SERVER_RPC_PAGING_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace coord {

// A page also ends here, well below what clients receive by default.
inline constexpr std::size_t kMaxPageBytes = 1 << 20;

struct PageRequest {
  int size = 0;
  std::string after;  // the page starts behind this key; empty: at the front
};

// `list` names what is listed; a token of another list is refused. Errors:
// INVALID_ARGUMENT naming page_size or page_token.
absl::StatusOr<PageRequest> ParsePageRequest(std::string_view list,
                                             std::int32_t page_size,
                                             std::string_view page_token);

std::string PageToken(std::string_view list, std::string_view last_key);

// Adds the items of one page, out of `items` which are sorted by `key`, until
// it is full; `add` returns the encoded size of what it added. Returns the
// token of the next page; empty on the last.
template <typename Items, typename Key, typename Add>
std::string FillPage(std::string_view list, const PageRequest& page,
                     const Items& items, Key key, Add add) {
  auto next = std::partition_point(
      items.begin(), items.end(),
      [&](const auto& item) { return key(item) <= page.after; });
  std::size_t bytes = 0;
  for (int n = 0; next != items.end(); ++n, ++next) {
    if (n == page.size || bytes >= kMaxPageBytes) {
      return PageToken(list, key(*std::prev(next)));
    }
    bytes += add(*next);
  }
  return {};
}

}  // namespace coord

#endif  // SERVER_RPC_PAGING_H_
