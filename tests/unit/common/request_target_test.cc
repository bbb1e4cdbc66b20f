#include "common/request_target.h"

#include <gtest/gtest.h>

#include <string>

namespace coord {
namespace {

TEST(TargetTest, HoldsVisibleAsciiButWhatBrowsersEscape) {
  std::string refused;
  for (int c = 0; c < 256; ++c) {
    if (!IsTargetCharacter(static_cast<char>(c)) && c > ' ' && c < 0x7f) {
      refused += static_cast<char>(c);
    }
  }
  EXPECT_EQ(refused, "\"#<>");
  EXPECT_EQ(EscapeTarget("/a?b={\"c\":'<d>'}&%20"),
            "/a?b={%22c%22:'%3Cd%3E'}&%20");
  EXPECT_EQ(EscapeTarget(std::string("\0 \n\x7f\xff", 5)), "%00%20%0A%7F%FF");
}

}  // namespace
}  // namespace coord
