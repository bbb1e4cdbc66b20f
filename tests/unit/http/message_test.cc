#include "server/http/message.h"

#include <gtest/gtest.h>

#include "server/http/transport.h"

namespace coord {
namespace {

TEST(FindHeaderTest, IgnoresCaseAndTakesTheFirst) {
  const HttpHeaders headers = {{"X-One", "1"}, {"x-one", "2"}, {"Y", "3"}};
  EXPECT_EQ(FindHeader(headers, "x-oNe"), "1");
  EXPECT_EQ(FindHeader(headers, "y"), "3");
  EXPECT_EQ(FindHeader(headers, "z"), "");
  EXPECT_EQ(FindHeader({}, "z"), "");
}

TEST(SerializeTailTest, EndsHeadersOfARequestWithoutBody) {
  EXPECT_EQ(*SerializeTail("GET", {{"a", "b"}, {"C", ""}}, ""),
            "a: b\r\nC: \r\n\r\n");
  EXPECT_EQ(*SerializeTail("DELETE", {}, ""), "\r\n");
}

TEST(SerializeTailTest, TellsTheLengthOfABody) {
  EXPECT_EQ(*SerializeTail("DELETE", {{"a", "b"}}, "{}"),
            "a: b\r\nContent-Length: 2\r\n\r\n{}");
}

TEST(SerializeTailTest, TellsALengthOfZeroWhereTheMethodWantsOne) {
  for (const char* method : {"POST", "PUT", "PATCH"}) {
    EXPECT_EQ(*SerializeTail(method, {}, ""), "Content-Length: 0\r\n\r\n")
        << method;
  }
}

}  // namespace
}  // namespace coord
