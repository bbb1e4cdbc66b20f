#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/text_view.h"
#include "server/node/jwt.h"
#include "server/node/token_verifier.h"
#include "tests/fuzz/must.h"

namespace coord {
namespace {

constexpr std::string_view kKey = "the key of this target";
constexpr std::string_view kType = "mTest";

TokenVerifier Verifier(std::string_view key) {
  Credentials credentials;
  TypeCredentials mine;
  mine.generic_audience = "nodes";
  mine.generic_key = std::string(key);
  credentials.Set(std::string(kType), mine);
  return *TokenVerifier::Create({.issuer = "mst"}, credentials,
                                [] { return absl::UnixEpoch(); });
}

// A token with a true signature, whatever its claims say.
std::string Sign(std::string_view header, std::string_view claims) {
  std::string text =
      absl::StrCat(absl::WebSafeBase64Escape(AbslView(header)), ".",
                   absl::WebSafeBase64Escape(AbslView(claims)));
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  HMAC(EVP_sha256(), kKey.data(), static_cast<int>(kKey.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(),
       digest.data(), &size);
  absl::StrAppend(&text, ".",
                  absl::WebSafeBase64Escape(absl::string_view(
                      reinterpret_cast<const char*>(digest.data()), size)));
  return text;
}

// What nobody signed is never believed. Returns how it is refused.
std::string CheckForged(const std::string& token) {
  static const TokenVerifier verifier = Verifier("a key that no input knows");
  const absl::Status status =
      verifier.Verify(std::string(kType), absl::StrCat("Bearer ", token));
  Must(absl::IsPermissionDenied(status) || absl::IsInvalidArgument(status));
  return std::string(status.message());
}

// What is signed is believed only with every claim in place.
void CheckSigned(std::string_view claims) {
  static const TokenVerifier verifier = Verifier(kKey);
  const std::string token = Sign(R"({"alg":"HS256"})", claims);
  const absl::StatusOr<Jwt> jwt = ParseJwt(token);
  if (jwt.ok()) Must(VerifiesHs256(*jwt, kKey));
  const absl::Status status =
      verifier.Verify(std::string(kType), absl::StrCat("Bearer ", token));
  if (!status.ok()) return;
  Must(jwt->kind == "cluster" && jwt->sub_type == kType && jwt->has_scope &&
       jwt->issuer == "mst" &&
       jwt->expiry > absl::UnixEpoch() - absl::Hours(1));
}

}  // namespace
}  // namespace coord

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view text = coord::Input(data, size);
  coord::CheckForged(std::string(text));
  const std::string token = coord::Sign(text, R"({"type":"cluster"})");
  coord::Must(coord::CheckForged(token).find(token) == std::string::npos);
  coord::CheckSigned(text);
  return 0;
}
