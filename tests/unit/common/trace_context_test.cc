#include "common/trace_context.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace coord {
namespace {

constexpr char kParent[] =
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

std::string StateAfterReading(const std::string& state) {
  return ReadTraceContext(kParent, state).state;
}

TEST(TraceContextTest, WhatIsValidIsKeptAsItCame) {
  EXPECT_EQ(
      ReadTraceContext(kParent, "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
      (TraceContext{kParent, "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"}));
  EXPECT_EQ(ReadTraceContext(kParent, ""), (TraceContext{kParent, ""}));
}

TEST(TraceContextTest, AParentOfAVersionToComeMaySayMore) {
  const std::string later = "01" + std::string(kParent).substr(2);
  EXPECT_EQ(ReadTraceContext(later, "").parent, later);
  EXPECT_EQ(ReadTraceContext(later + "-more", "").parent, later + "-more");
  EXPECT_EQ(ReadTraceContext(later + "more", "").parent, "");
  EXPECT_EQ(ReadTraceContext(later + "-mo re", "").parent, "");
  EXPECT_EQ(ReadTraceContext(later + "-" + std::string(256, 'x'), "").parent,
            "");
}

TEST(TraceContextTest, WithoutAParentThereIsNoTrace) {
  const std::string parent = kParent;
  for (const std::string& bad : std::vector<std::string>{
           "", "00", "00-1-2-01", parent + "-x", parent + "0",
           parent.substr(0, parent.size() - 1), "ff" + parent.substr(2),
           "0g" + parent.substr(2),
           "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
           "00-" + std::string(32, '0') + "-00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-" + std::string(16, '0') +
               "-01",
           "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           parent + "\r\nx: y", " " + parent}) {
    EXPECT_EQ(ReadTraceContext(bad, "rojo=1"), TraceContext()) << bad;
  }
}

TEST(TraceContextTest, AStateThatIsNoneIsLeftOut) {
  for (const char* good :
       {"a=1", "a=1, b=2", "a=1,,b=2", "1a-_*/@b=x y", "tenant@system=1"}) {
    EXPECT_EQ(StateAfterReading(good), good);
  }
  for (const std::string& bad : std::vector<std::string>{
           "a", "=1", "a=", "A=1", "a=1=2", "a=1\r\nx: y", "a=\xc3\xa9", ",",
           "a=" + std::string(257, 'x'), std::string(257, 'a') + "=1"}) {
    EXPECT_EQ(StateAfterReading(bad), "") << bad;
  }
}

TEST(TraceContextTest, AStateHasALimit) {
  const std::string member = "a=" + std::string(253, 'x');  // 255 bytes
  EXPECT_EQ(StateAfterReading(member + "," + member).size(), 511u);
  EXPECT_EQ(StateAfterReading(member + "," + member + ",b=1").size(), 0u);
  std::string members = "a=1";
  for (int i = 1; i < 32; ++i) members += ",a=1";
  EXPECT_EQ(StateAfterReading(members), members);
  EXPECT_EQ(StateAfterReading(members + ",a=1"), "");
}

}  // namespace
}  // namespace coord
