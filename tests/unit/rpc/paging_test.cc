#include "server/rpc/paging.h"

#include <algorithm>
#include <string>
#include <vector>

#include "common/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace coord {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Page {
  std::vector<std::string> items;
  std::string next;
};

Page Fill(const PageRequest& request, const std::vector<std::string>& items,
          std::size_t item_bytes = 1) {
  Page page;
  page.next = FillPage(
      "letters", request,
      std::upper_bound(items.begin(), items.end(), request.after), items.end(),
      [](const std::string& item) { return item; },
      [&](const std::string& item) {
        page.items.push_back(item);
        return item_bytes;
      });
  return page;
}

TEST(PagingTest, PagesCoverTheListOnce) {
  const std::vector<std::string> items = {"a", "b", "c", "d", "e"};
  auto request = ParsePageRequest("letters", 2, "");
  ASSERT_TRUE(request.ok());
  Page page = Fill(*request, items);
  EXPECT_THAT(page.items, ElementsAre("a", "b"));

  request = ParsePageRequest("letters", 2, page.next);
  ASSERT_TRUE(request.ok());
  page = Fill(*request, items);
  EXPECT_THAT(page.items, ElementsAre("c", "d"));

  request = ParsePageRequest("letters", 2, page.next);
  ASSERT_TRUE(request.ok());
  page = Fill(*request, items);
  EXPECT_THAT(page.items, ElementsAre("e"));
  EXPECT_THAT(page.next, IsEmpty());
}

TEST(PagingTest, GoesOnBehindAnItemThatIsGone) {
  Page page = Fill({.size = 2}, {"a", "b", "c", "d"});
  const auto request = ParsePageRequest("letters", 2, page.next);
  ASSERT_TRUE(request.ok());
  EXPECT_THAT(Fill(*request, {"a", "c", "d"}).items, ElementsAre("c", "d"));
}

TEST(PagingTest, AFullLastPageHasNoToken) {
  EXPECT_THAT(Fill({.size = 2}, {"a", "b"}).next, IsEmpty());
}

TEST(PagingTest, LargeItemsEndAPageEarly) {
  const Page page = Fill({.size = 100}, {"a", "b", "c"}, kMaxPageBytes);
  EXPECT_THAT(page.items, ElementsAre("a"));
  EXPECT_FALSE(page.next.empty());
}

TEST(PagingTest, SizeHasADefaultAndALimit) {
  EXPECT_EQ(ParsePageRequest("letters", 0, "")->size, 100);
  EXPECT_EQ(ParsePageRequest("letters", 1000, "")->size, 1000);
  EXPECT_EQ(ParsePageRequest("letters", 2'000'000'000, "")->size, 1000);
}

TEST(PagingTest, ANegativeSizeIsRefused) {
  const absl::Status refused = ParsePageRequest("letters", -1, "").status();
  EXPECT_TRUE(HasReason(refused, Reason::kInvalidField));
  EXPECT_EQ(refused.message(), "page_size: must not be negative");
}

TEST(PagingTest, TokensThatAreNotOursAreRefused) {
  for (const std::string& token :
       {std::string("!"), std::string("YQ"), PageToken("numbers", "a"),
        PageToken("letters", "")}) {
    const absl::Status refused = ParsePageRequest("letters", 1, token).status();
    EXPECT_TRUE(HasReason(refused, Reason::kInvalidField)) << token;
    EXPECT_EQ(refused.message(),
              "page_token: must be a next_page_token of the same list");
  }
}

}  // namespace
}  // namespace coord
