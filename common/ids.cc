#include "common/ids.h"

#include <sys/random.h>

#include <array>
#include <cstdint>
#include <cstdlib>

#include "absl/random/distributions.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"

namespace coord {
namespace {

bool AllOf(std::string_view text, std::string_view punctuation) {
  for (const char c : text) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) &&
        punctuation.find(c) == punctuation.npos) {
      return false;
    }
  }
  return true;
}

}  // namespace

bool IsValidServerType(std::string_view type) {
  return !type.empty() && type.size() <= 64 &&
         absl::ascii_isalpha(static_cast<unsigned char>(type.front())) &&
         AllOf(type, "_-");
}

bool IsValidServerId(std::string_view id) {
  return !id.empty() && id.size() <= 128 && id != "." && id != ".." &&
         AllOf(id, "._~-");
}

std::string RandomUuid(absl::BitGenRef random) {
  const auto high = absl::Uniform<std::uint64_t>(random);
  const auto low = absl::Uniform<std::uint64_t>(random);
  // The fixed bits of RFC 4122: version 4, variant 10.
  return absl::StrFormat("%08x-%04x-%04x-%04x-%012x", high >> 32,
                         (high >> 16) & 0xffff, (high & 0x0fff) | 0x4000,
                         ((low >> 48) & 0x3fff) | 0x8000,
                         low & 0xffff'ffff'ffff);
}

std::string SecretId() {
  std::array<char, 16> bytes;
  // Fails only on a kernel without getrandom; a guessable secret is worse than
  // no process.
  if (getentropy(bytes.data(), bytes.size()) != 0) std::abort();
  return absl::BytesToHexString(absl::string_view(bytes.data(), bytes.size()));
}

}  // namespace coord
