#include "server/core/resume_token.h"

#include <gtest/gtest.h>

#include "absl/strings/escaping.h"

namespace coord {
namespace {

TEST(ResumeTokenTest, ComesBackWhole) {
  const std::string nasty("a:b/%3A\n\0ü", 10);
  const auto token = ParseResumeToken(FormatResumeToken({nasty, nasty, 42}));
  ASSERT_TRUE(token);
  EXPECT_EQ(token->epoch, nasty);
  EXPECT_EQ(token->cluster_id, nasty);
  EXPECT_EQ(token->revision, 42);
}

TEST(ResumeTokenTest, WhatIsNoTokenIsRefused) {
  EXPECT_FALSE(ParseResumeToken(""));
  EXPECT_FALSE(ParseResumeToken("!"));
  EXPECT_FALSE(ParseResumeToken("nonsense"));
  EXPECT_FALSE(ParseResumeToken(absl::WebSafeBase64Escape("1:e")));
  EXPECT_FALSE(ParseResumeToken(absl::WebSafeBase64Escape("1:e:c:x")));
  EXPECT_FALSE(ParseResumeToken(absl::WebSafeBase64Escape("x:e:c")));
  EXPECT_FALSE(
      ParseResumeToken(absl::WebSafeBase64Escape("9223372036854775808:e:c")));
}

}  // namespace
}  // namespace coord
