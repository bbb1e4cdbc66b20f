#include "client/cpp/address.h"

#include <gtest/gtest.h>

#include <string>

namespace coord {
namespace {

TEST(GrpcTargetTest, APortThatIsNotGivenIs7700) {
  EXPECT_EQ(*GrpcTarget("clusterd"), "clusterd:7700");
  EXPECT_EQ(*GrpcTarget("10.0.0.7"), "10.0.0.7:7700");
  EXPECT_EQ(*GrpcTarget("[::1]"), "[::1]:7700");
  EXPECT_EQ(*GrpcTarget("::1"), "[::1]:7700");
  EXPECT_EQ(*GrpcTarget("fd00::7:1"), "[fd00::7:1]:7700");
}

TEST(GrpcTargetTest, APortThatIsGivenStays) {
  EXPECT_EQ(*GrpcTarget("clusterd:80"), "clusterd:80");
  EXPECT_EQ(*GrpcTarget("10.0.0.7:7701"), "10.0.0.7:7701");
  EXPECT_EQ(*GrpcTarget("[::1]:65535"), "[::1]:65535");
}

TEST(GrpcTargetTest, NamesWithASchemeOfGrpcStay) {
  for (const std::string target :
       {"unix:/run/clusterd", "unix-abstract:clusterd", "dns:///clusterd:7700",
        "ipv4:10.0.0.7:7700", "ipv6:[::1]:7700"}) {
    EXPECT_EQ(*GrpcTarget(target), target);
  }
}

TEST(GrpcTargetTest, WhatIsNoAddressIsRefused) {
  for (const std::string address :
       {"", ":7700", "host:", "host:0", "host:65536", "host:http",
        "http://host:7700", "host/path", "a host", "[::1", "::1]",
        "[::1]x:1"}) {
    EXPECT_EQ(GrpcTarget(address).status(),
              absl::InvalidArgumentError("connect to \"" + address +
                                         "\": is not HOST[:PORT] or unix:PATH"))
        << address;
  }
}

}  // namespace
}  // namespace coord
