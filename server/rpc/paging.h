// Pages of a list that is sorted by some key: the token holds the last key of
// the page before, so that lists may change between pages.
#ifndef SERVER_RPC_PAGING_H_
#define SERVER_RPC_PAGING_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

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

// The key of what is sorted by several names, one after the other.
std::string ListKey(std::initializer_list<absl::string_view> names);
// The `count` names of such a key. What is none names a place all the same.
std::vector<std::string> NamesIn(const std::string& key, std::size_t count);

// What a page still takes.
class PageRoom {
 public:
  explicit PageRoom(const PageRequest& page) : items_(page.size) {}

  bool full() const { return items_ == 0 || bytes_ >= kMaxPageBytes; }
  // An item whose encoded size is `bytes` was added.
  void Take(std::size_t bytes) {
    --items_;
    bytes_ += bytes;
  }

 private:
  int items_;  // that still fit
  std::size_t bytes_ = 0;
};

// Adds the items of one page, from `next` on, until it is full; `add` returns
// the encoded size of what it added. Returns the token of the next page; empty
// on the last.
template <typename Iterator, typename Key, typename Add>
std::string FillPage(std::string_view list, const PageRequest& page,
                     Iterator next, Iterator end, Key key, Add add) {
  PageRoom room(page);
  for (Iterator last = next; next != end; last = next++) {
    if (room.full()) return PageToken(list, key(*last));
    room.Take(add(*next));
  }
  return {};
}

}  // namespace coord

#endif  // SERVER_RPC_PAGING_H_
