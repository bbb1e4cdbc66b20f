// Names that the contract restricts, and random identifiers.
#ifndef COMMON_IDS_H_
#define COMMON_IDS_H_

#include <string>
#include <string_view>

#include "absl/random/bit_gen_ref.h"

namespace coord {

// `[A-Za-z][A-Za-z0-9_-]{0,63}`.
bool IsValidServerType(std::string_view type);
inline constexpr std::string_view kServerTypeRule =
    "must match [A-Za-z][A-Za-z0-9_-]{0,63}";

// `[A-Za-z0-9._~-]{1,128}`, but neither `.` nor `..`, which a URL path can't
// carry.
bool IsValidServerId(std::string_view id);
inline constexpr std::string_view kServerIdRule =
    "must match [A-Za-z0-9._~-]{1,128} and be neither . nor ..";

// A version 4 UUID.
std::string RandomUuid(absl::BitGenRef random);

// 128 bits from the operating system, as 32 hexadecimal digits: for what must
// not be guessed (session ids).
std::string SecretId();

}  // namespace coord

#endif  // COMMON_IDS_H_
