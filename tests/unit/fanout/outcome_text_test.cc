#include "server/fanout/outcome_text.h"

#include <gtest/gtest.h>

#include <string>

#include "common/utf8.h"

namespace coord {
namespace {

std::string Cut(std::string text, std::size_t excess) {
  CutText(text, excess);
  return text;
}

TEST(CutTextTest, LosesItsEndAndSaysSo) {
  EXPECT_EQ(Cut("connection refused", 5), "connection…");
  EXPECT_EQ(Cut("connection refused", 1), "connection ref…");
}

TEST(CutTextTest, CutsNoCharacterInTwo) {
  // Of `né`, 3 bytes, 2 are left: half a character goes.
  EXPECT_EQ(Cut("né refused", 6), "n…");
  for (std::size_t excess = 0; excess < 20; ++excess) {
    EXPECT_TRUE(IsValidUtf8(Cut("aé中😀…é中😀", excess))) << excess;
  }
}

TEST(CutTextTest, ComesDownToTheMarkAndNoFurther) {
  EXPECT_EQ(Cut("refused", 7), "…");
  EXPECT_EQ(Cut("refused", 100), "…");
  EXPECT_EQ(Cut("abc", 100), "abc");
  EXPECT_EQ(Cut("", 100), "");
}

TEST(CleanTextsTest, WhatOthersWroteIsEscaped) {
  NodeOutcome outcome;
  outcome.message = "bad \xff";
  outcome.headers = {{"x-\xfe", "caf\xc3\xa9"}};
  outcome.body = "\xff";
  CleanTexts(outcome);
  EXPECT_EQ(outcome.message, "bad %FF");
  EXPECT_EQ(outcome.headers[0].name, "x-%FE");
  EXPECT_EQ(outcome.headers[0].value, "caf%C3%A9");
  EXPECT_EQ(outcome.body, "\xff");
}

}  // namespace
}  // namespace coord
