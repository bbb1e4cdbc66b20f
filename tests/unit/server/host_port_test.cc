#include "server/host_port.h"

#include <gtest/gtest.h>

namespace coord {
namespace {

TEST(HostPort, NamesAndAddressesWithPortsAreRead) {
  EXPECT_EQ(ParseHostPort("127.0.0.1:7700")->host, "127.0.0.1");
  EXPECT_EQ(ParseHostPort("127.0.0.1:7700")->port, 7700);
  EXPECT_EQ(ParseHostPort("localhost:0")->port, 0);
  EXPECT_EQ(ParseHostPort("[::1]:65535")->host, "::1");
  EXPECT_EQ(ParseHostPort("[::1]:65535")->port, 65535);
}

TEST(HostPort, AnythingElseIsRefusedWithAnExample) {
  for (const char* text : {"", "7700", ":7700", "host", "host:", "host:-1",
                           "host:65536", "host:1x", "::1:7700", "[]:1"}) {
    const auto parsed = ParseHostPort(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.status().message(),
              "is not HOST:PORT, such as 127.0.0.1:7700 or [::1]:7700");
  }
}

}  // namespace
}  // namespace coord
