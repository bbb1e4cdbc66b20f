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

TEST(AddressList, HoldsNoNames) {
  for (const char* text : {"10.0.0.2", "10.0.0.2:53", "fd00::2", "[fd00::2]:53",
                           "10.0.0.2,[fd00::2]:5353"}) {
    EXPECT_TRUE(IsAddressList(text)) << text;
  }
  for (const char* text : {"", "a.test", "a.test:53", "10.0.0.2:0", "10.0.0.2,",
                           "10.0.0.2 10.0.0.3"}) {
    EXPECT_FALSE(IsAddressList(text)) << text;
  }
}

TEST(ReachableAddress, NamesAMachineWithOrWithoutAPort) {
  for (const char* text : {"10.0.0.7", "10.0.0.7:7780", "node-7.test", "[::1]",
                           "[fd00::7]:7780", "fd00::7", "localhost:1"}) {
    EXPECT_TRUE(IsReachableAddress(text)) << text;
  }
  for (const char* text :
       {"", "0.0.0.0", "0.0.0.0:7780", "[::]:7780", "::", "http://a", "a/b",
        "a/", "a:0", "a:x", "a b", "u@a"}) {
    EXPECT_FALSE(IsReachableAddress(text)) << text;
  }
}

TEST(AdvertisedAddress, IsTheListenersUnlessToldOtherwise) {
  EXPECT_EQ(AdvertisedAddress("", "127.0.0.1:7780"), "127.0.0.1:7780");
  EXPECT_EQ(AdvertisedAddress("Node-7.test", "0.0.0.0:7780"),
            "node-7.test:7780");
  EXPECT_EQ(AdvertisedAddress("10.0.0.7:80", "0.0.0.0:7780"), "10.0.0.7");
  EXPECT_EQ(AdvertisedAddress("[fd00::7]", "[::]:7780"), "[fd00::7]:7780");
  EXPECT_EQ(AdvertisedAddress("fd00::7", "[::]:7780"), "[fd00::7]:7780");
  EXPECT_EQ(AdvertisedAddress("", "0.0.0.0:7780"), "");
  EXPECT_EQ(AdvertisedAddress("", "[::]:7780"), "");
}

}  // namespace
}  // namespace coord
