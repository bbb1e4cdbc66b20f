#include "client/ctl/table.h"

#include <gtest/gtest.h>

namespace coord {
namespace {

TEST(TableTest, AlignsColumnsAndLeavesNoBlanksBehind) {
  Table table({"TYPE", "SERVERS"});
  table.Add({"a", "1"});
  table.Add({"longer", "20"});
  EXPECT_EQ(table.ToString(),
            "TYPE    SERVERS\n"
            "a       1\n"
            "longer  20\n");
}

TEST(TableTest, LeavesOutColumnsWithoutContent) {
  Table table({"A", "MESSAGE", "C"});
  table.Add({"1", "", "x"});
  table.Add({"2", "", ""});
  EXPECT_EQ(table.ToString(),
            "A  C\n"
            "1  x\n"
            "2\n");
}

TEST(TableTest, CountsCharactersNotBytes) {
  Table table({"A", "B"});
  table.Add({"müß", "1"});
  table.Add({"abcd", "2"});
  EXPECT_EQ(table.ToString(),
            "A     B\n"
            "müß   1\n"
            "abcd  2\n");
}

TEST(TableTest, LetsNoCellBreakALineOrCommandTheTerminal) {
  Table table({"A", "B"});
  table.Add({"x\ny", "\x1b[2J"});
  EXPECT_EQ(table.ToString(),
            "A       B\n"
            "x\\x0ay  \\x1b[2J\n");
}

TEST(TableTest, IsEmptyWithoutRows) {
  Table table({"A"});
  EXPECT_TRUE(table.empty());
  table.Add({"1"});
  EXPECT_FALSE(table.empty());
}

}  // namespace
}  // namespace coord
