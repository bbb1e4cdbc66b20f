#include "common/utf8.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace coord {
namespace {

// Encodes any number below 2^21 as if it were a character.
std::string Encode(std::uint32_t c, int length) {
  if (length == 1) return {static_cast<char>(c)};
  std::string bytes;
  for (int i = 0; i < length - 1; ++i) {
    bytes.insert(bytes.begin(), static_cast<char>(0x80 | (c & 0x3F)));
    c >>= 6;
  }
  const int mark = 0xF00 >> length & 0xFF;
  bytes.insert(bytes.begin(), static_cast<char>(mark | c));
  return bytes;
}

int LengthOf(std::uint32_t c) {
  return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

TEST(Utf8Test, EveryCharacterIsValidAndNothingElse) {
  for (std::uint32_t c = 0; c < 0x110000; ++c) {
    const bool surrogate = c >= 0xD800 && c < 0xE000;
    ASSERT_EQ(IsValidUtf8(Encode(c, LengthOf(c))), !surrogate) << c;
  }
  for (std::uint32_t c = 0x110000; c < 0x200000; c += 0x101) {
    ASSERT_FALSE(IsValidUtf8(Encode(c, 4))) << c;
  }
}

TEST(Utf8Test, OverlongFormsAreInvalid) {
  for (const std::uint32_t c : {0x0u, 0x2Eu, 0x2Fu, 0x7Fu}) {
    for (const int length : {2, 3, 4}) {
      EXPECT_FALSE(IsValidUtf8(Encode(c, length))) << c << " in " << length;
    }
  }
  EXPECT_FALSE(IsValidUtf8(Encode(0x7FF, 3)));
  EXPECT_FALSE(IsValidUtf8(Encode(0xFFFF, 4)));
}

TEST(Utf8Test, CutCharactersAndLoneContinuationsAreInvalid) {
  EXPECT_FALSE(IsValidUtf8("\xC3"));
  EXPECT_FALSE(IsValidUtf8("\xE2\x82"));
  EXPECT_FALSE(IsValidUtf8("\xF0\x9F\x98"));
  EXPECT_FALSE(
      IsValidUtf8("\xE2\x82"
                  "a"));
  EXPECT_FALSE(IsValidUtf8("\x80"));
  EXPECT_FALSE(IsValidUtf8("a\xFF"));
  EXPECT_FALSE(IsValidUtf8("\xFE"));
}

TEST(Utf8Test, NothingAndNulAreValid) {
  EXPECT_TRUE(IsValidUtf8(""));
  EXPECT_TRUE(IsValidUtf8(std::string_view("\0", 1)));
}

TEST(EscapeInvalidUtf8Test, ChangesOnlyWhatIsInvalid) {
  EXPECT_EQ(EscapeInvalidUtf8("größe %41\n"), "größe %41\n");
  EXPECT_EQ(EscapeInvalidUtf8("a\xFF"
                              "b\xC3"),
            "a%FFb%C3");
  EXPECT_EQ(EscapeInvalidUtf8("\xE2\x82"
                              "a"),
            "%E2%82a");
  EXPECT_EQ(EscapeInvalidUtf8("\xC0\xAE"), "%C0%AE");
  EXPECT_EQ(EscapeInvalidUtf8("\xED\xA0\x80"), "%ED%A0%80");
}

TEST(EscapeInvalidUtf8Test, AlwaysMakesValidText) {
  std::string bytes;
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      bytes = {static_cast<char>(first), static_cast<char>(second), '\x82'};
      ASSERT_TRUE(IsValidUtf8(EscapeInvalidUtf8(bytes))) << first << second;
    }
  }
}

TEST(Utf8PrefixTest, CutsNoCharacterInTwo) {
  EXPECT_EQ(Utf8Prefix("abc", 3), "abc");
  EXPECT_EQ(Utf8Prefix("abc", 2), "ab");
  EXPECT_EQ(Utf8Prefix("aü", 2), "a");
  EXPECT_EQ(Utf8Prefix("aü", 3), "aü");
  EXPECT_EQ(Utf8Prefix("😀", 3), "");
  EXPECT_EQ(Utf8Prefix("😀", 0), "");
}

TEST(HasControlCharacterTest, FindsThemAnywhere) {
  EXPECT_FALSE(HasControlCharacter(""));
  EXPECT_FALSE(HasControlCharacter("plain ~ ü"));
  EXPECT_TRUE(HasControlCharacter("a\n"));
  EXPECT_TRUE(HasControlCharacter("\x7f"));
  EXPECT_TRUE(HasControlCharacter(std::string_view("\0", 1)));
}

TEST(IsPrintableAsciiTest, FindsABadByteAnywhere) {
  for (std::size_t size = 0; size <= 20; ++size) {
    std::string text(size, '~');
    EXPECT_TRUE(IsPrintableAscii(text)) << size;
    EXPECT_TRUE(IsPrintableAscii(std::string(size, ' '))) << size;
    for (char& byte : text) {
      for (const char bad : {'\0', '\x1f', '\x7f', '\x80', '\xff'}) {
        byte = bad;
        EXPECT_FALSE(IsPrintableAscii(text)) << size;
        EXPECT_EQ(IsValidUtf8(text), (bad & 0x80) == 0) << size;
        EXPECT_NE(EscapeHeaderValue(text), text) << size;
      }
      byte = '~';
    }
  }
}

TEST(EscapeHeaderValueTest, LeavesPrintableAsciiAlone) {
  EXPECT_EQ(EscapeHeaderValue(" text/html; q=0.9%~"), " text/html; q=0.9%~");
  EXPECT_EQ(EscapeHeaderValue("a\tb\x7f\xFFü"), "a%09b%7F%FF%C3%BC");
}

}  // namespace
}  // namespace coord
