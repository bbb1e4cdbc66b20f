#include "server/http/http_date.h"

#include <gtest/gtest.h>

#include <string>

namespace coord {
namespace {

class HttpDateTest : public testing::Test {
 protected:
  std::string Read(std::string_view text) const {
    const std::optional<absl::Time> time = ParseHttpDate(text, now_);
    return time
               ? absl::FormatTime(absl::RFC3339_sec, *time, absl::UTCTimeZone())
               : "none";
  }

  const absl::Time now_ =
      absl::FromCivil(absl::CivilSecond(2026, 11, 27, 12), absl::UTCTimeZone());
};

TEST_F(HttpDateTest, AllThreeFormsAreRead) {
  for (const char* text :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994"}) {
    EXPECT_EQ(Read(text), "1994-11-06T08:49:37+00:00") << text;
  }
}

TEST_F(HttpDateTest, TwoDigitsAreTheLatestYearWithinFifty) {
  for (const auto& [digits, year] : {std::pair("26", "2026"),
                                     {"00", "2000"},
                                     {"75", "2075"},
                                     {"76", "2076"},
                                     {"77", "1977"},
                                     {"99", "1999"}}) {
    EXPECT_EQ(Read(std::string("Friday, 27-Nov-") + digits + " 11:00:00 GMT"),
              std::string(year) + "-11-27T11:00:00+00:00");
  }
  EXPECT_EQ(Read("Saturday, 28-Nov-76 00:00:00 GMT"),
            "1976-11-28T00:00:00+00:00");
}

TEST_F(HttpDateTest, AnythingElseIsNone) {
  for (const char* text :
       {"", "7", "soon", "infinite-future", "infinite-past",
        "2026-11-27T12:00:00Z", "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 06 Nov 1994 25:00:00 GMT",
        "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT x"}) {
    EXPECT_EQ(Read(text), "none") << text;
  }
}

}  // namespace
}  // namespace coord
