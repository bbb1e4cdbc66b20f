#include "common/utf8.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/strings/str_format.h"

namespace coord {
namespace {

std::uint64_t EightAt(const char* bytes) {
  std::uint64_t eight;
  std::memcpy(&eight, bytes, sizeof(eight));
  return eight;
}

// How many good bytes `text` starts with, at the least; all of them if all are
// good. Looks at eight at a time: `bad` marks a bad one by any bit.
template <typename Bad>
std::size_t GoodPrefix(std::string_view text, Bad bad) {
  constexpr std::size_t kStep = sizeof(std::uint64_t);
  if (text.empty()) return 0;
  if (text.size() < kStep) {
    std::uint64_t padded = EightAt("        ");
    std::memcpy(&padded, text.data(), text.size());
    return bad(padded) != 0 ? 0 : text.size();
  }
  std::size_t size = 0;
  for (; text.size() - size >= kStep; size += kStep) {
    if (bad(EightAt(text.data() + size)) != 0) return size;
  }
  const std::size_t last = text.size() - kStep;
  return bad(EightAt(text.data() + last)) != 0 ? size : text.size();
}

constexpr std::uint64_t kOnes = 0x0101'0101'0101'0101;
constexpr std::uint64_t kHighBits = 0x80 * kOnes;

std::size_t AsciiPrefix(std::string_view text) {
  return GoodPrefix(text,
                    [](std::uint64_t eight) { return eight & kHighBits; });
}

bool IsContinuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

// The length of the valid sequence that `text` starts with; 0 when there is
// none. By table 3-7 of the Unicode standard: the second byte rules out
// overlong forms, surrogates and what is over U+10FFFF.
std::size_t SequenceLength(std::string_view text) {
  const auto byte = [text](std::size_t i) -> unsigned char {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;

  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  if (first == 0xE0) low = 0xA0;
  if (first == 0xED) high = 0x9F;
  if (first == 0xF0) low = 0x90;
  if (first == 0xF4) high = 0x8F;
  if (byte(1) < low || byte(1) > high) return 0;

  const std::size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  for (std::size_t i = 2; i < length; ++i) {
    if (!IsContinuation(byte(i))) return 0;
  }
  return length;
}

void AppendEscaped(std::string& out, char byte) {
  absl::StrAppendFormat(&out, "%%%02X", static_cast<unsigned char>(byte));
}

}  // namespace

bool IsValidUtf8(std::string_view text) {
  text.remove_prefix(AsciiPrefix(text));
  while (!text.empty()) {
    const std::size_t length = SequenceLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string EscapeInvalidUtf8(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = SequenceLength(text);
    if (length == 0) {
      AppendEscaped(escaped, text.front());
      text.remove_prefix(1);
    } else {
      escaped.append(text.substr(0, length));
      text.remove_prefix(length);
    }
  }
  return escaped;
}

std::string_view Utf8Prefix(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  while (max_bytes > 0 &&
         IsContinuation(static_cast<unsigned char>(text[max_bytes]))) {
    --max_bytes;
  }
  return text.substr(0, max_bytes);
}

bool HasControlCharacter(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

// A borrow or carry reaches the next byte only from one that is bad itself.
bool IsPrintableAscii(std::string_view text) {
  const auto bad = [](std::uint64_t eight) {
    const std::uint64_t below_space = eight - 0x20 * kOnes;
    const std::uint64_t delete_or_above = eight + kOnes;
    return (below_space | delete_or_above | eight) & kHighBits;
  };
  return GoodPrefix(text, bad) == text.size();
}

std::string EscapeHeaderValue(std::string value) {
  if (IsPrintableAscii(value)) return value;
  std::string escaped;
  escaped.reserve(value.size());
  for (const char c : value) {
    if (IsPrintableAscii({&c, 1})) {
      escaped += c;
    } else {
      AppendEscaped(escaped, c);
    }
  }
  return escaped;
}

}  // namespace coord
