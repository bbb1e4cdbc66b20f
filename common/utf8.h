// Text that comes from outside and goes into a protobuf string must be valid
// UTF-8: one bad byte destroys the whole message for its receiver.
#ifndef COMMON_UTF8_H_
#define COMMON_UTF8_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace coord {

bool IsValidUtf8(std::string_view text);

// Every byte that is not part of valid UTF-8 as `%XX`.
std::string EscapeInvalidUtf8(std::string_view text);

// The longest start of valid UTF-8 `text` that has at most `max_bytes` and cuts
// no character in two.
std::string_view Utf8Prefix(std::string_view text, std::size_t max_bytes);

// ASCII's control characters, DEL among them.
bool HasControlCharacter(std::string_view text);

// From space to tilde.
bool IsPrintableAscii(std::string_view text);

// A header value as answers carry it: bytes that are not printable ASCII as
// `%XX`.
std::string EscapeHeaderValue(std::string value);

}  // namespace coord

#endif  // COMMON_UTF8_H_
