#include "server/node/jwt.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include <array>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/text_view.h"
#include "server/registry/json_member.h"

namespace coord {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxTokenBytes = 16 << 10;
constexpr std::size_t kP256CoordinateBytes = 32;
constexpr std::string_view kScheme = "bearer ";

absl::Status Malformed() {
  return absl::InvalidArgumentError("the token is not a JSON Web Token");
}

std::optional<json::object> DecodeObject(std::string_view part) {
  std::string text;
  if (!absl::WebSafeBase64Unescape(AbslView(part), &text)) return std::nullopt;
  json::error_code error;
  json::value value = json::parse(text, error);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

std::string StringClaim(const json::object& claims, std::string_view name) {
  return StringMember(claims, name).value_or("");
}

absl::Time TimeClaim(const json::object& claims, std::string_view name) {
  const json::value* value =
      claims.if_contains(json::string_view(name.data(), name.size()));
  if (value == nullptr || !value->is_number()) return absl::InfinitePast();
  return absl::UnixEpoch() + absl::Seconds(value->to_number<double>());
}

// A string or an array of strings.
std::vector<std::string> AudienceClaim(const json::object& claims) {
  std::vector<std::string> audiences;
  auto add = [&audiences](const json::value& value) {
    if (value.is_string()) {
      audiences.emplace_back(value.get_string().data(),
                             value.get_string().size());
    }
  };
  const json::value* value = claims.if_contains("aud");
  if (value == nullptr) return audiences;
  if (value->is_array()) {
    for (const json::value& each : value->get_array()) add(each);
  } else {
    add(*value);
  }
  return audiences;
}

bool ReadAlgorithm(const json::object& header, JwtAlgorithm& algorithm) {
  // Extensions that must be understood are none of ours.
  if (header.contains("crit")) return false;
  constexpr std::array<std::pair<std::string_view, JwtAlgorithm>, 3> kKnown = {
      {{"HS256", JwtAlgorithm::kHs256},
       {"RS256", JwtAlgorithm::kRs256},
       {"ES256", JwtAlgorithm::kEs256}}};
  const std::string name = StringClaim(header, "alg");
  for (const auto& [known, value] : kKnown) {
    if (name != known) continue;
    algorithm = value;
    return true;
  }
  return false;
}

void ReadClaims(const json::object& claims, Jwt& jwt) {
  jwt.issuer = StringClaim(claims, "iss");
  jwt.subject = StringClaim(claims, "sub");
  jwt.kind = StringClaim(claims, "type");
  jwt.sub_type = StringClaim(claims, "subType");
  jwt.audiences = AudienceClaim(claims);
  const json::value* scope = claims.if_contains("scope");
  jwt.has_scope = scope != nullptr && !scope->is_null();
  jwt.customer = StringClaim(claims, "cust");
  jwt.expiry = TimeClaim(claims, "exp");
  jwt.not_before = TimeClaim(claims, "nbf");
}

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// JWS has the two numbers of an ECDSA signature one after the other; OpenSSL
// wants them in DER. Empty: it is no such signature.
std::string DerSignature(std::string_view raw) {
  if (raw.size() != 2 * kP256CoordinateBytes) return "";
  const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> signature(
      ECDSA_SIG_new(), ECDSA_SIG_free);
  BIGNUM* r = BN_bin2bn(Bytes(raw), kP256CoordinateBytes, nullptr);
  BIGNUM* s = BN_bin2bn(Bytes(raw) + kP256CoordinateBytes, kP256CoordinateBytes,
                        nullptr);
  if (ECDSA_SIG_set0(signature.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return "";
  }
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  if (size <= 0) return "";
  std::string text(reinterpret_cast<char*>(der),
                   static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return text;
}

}  // namespace

absl::StatusOr<Jwt> ParseJwt(std::string_view token) {
  if (token.size() > kMaxTokenBytes) return Malformed();
  const std::size_t first = token.find('.');
  const std::size_t second =
      first == token.npos ? token.npos : token.find('.', first + 1);
  if (second == token.npos || token.find('.', second + 1) != token.npos) {
    return Malformed();
  }
  const std::optional<json::object> header =
      DecodeObject(token.substr(0, first));
  const std::optional<json::object> claims =
      DecodeObject(token.substr(first + 1, second - first - 1));
  Jwt jwt;
  if (!header || !claims ||
      !absl::WebSafeBase64Unescape(AbslView(token.substr(second + 1)),
                                   &jwt.signature)) {
    return Malformed();
  }
  if (!ReadAlgorithm(*header, jwt.algorithm)) {
    return absl::InvalidArgumentError(
        "the token's algorithm is none of HS256, RS256, ES256");
  }
  jwt.signed_text = token.substr(0, second);
  ReadClaims(*claims, jwt);
  return jwt;
}

absl::StatusOr<PublicKey> PublicKey::FromPem(std::string_view pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  std::shared_ptr<EVP_PKEY> key(
      PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  const bool fits =
      key != nullptr &&
      (EVP_PKEY_is_a(key.get(), "RSA") ||
       (EVP_PKEY_is_a(key.get(), "EC") && EVP_PKEY_get_bits(key.get()) == 256));
  if (!fits) {
    return absl::InvalidArgumentError(
        "is not a PEM public key, RSA or EC on P-256");
  }
  return PublicKey(std::move(key));
}

bool PublicKey::Verifies(const Jwt& jwt) const {
  const bool rsa = EVP_PKEY_is_a(key_.get(), "RSA") == 1;
  if (jwt.algorithm != (rsa ? JwtAlgorithm::kRs256 : JwtAlgorithm::kEs256)) {
    return false;
  }
  const std::string signature =
      rsa ? jwt.signature : DerSignature(jwt.signature);
  if (signature.empty()) return false;
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(
      EVP_MD_CTX_new(), EVP_MD_CTX_free);
  return EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr,
                              key_.get()) == 1 &&
         EVP_DigestVerify(context.get(), Bytes(signature), signature.size(),
                          Bytes(jwt.signed_text), jwt.signed_text.size()) == 1;
}

bool VerifiesHs256(const Jwt& jwt, std::string_view key) {
  if (jwt.algorithm != JwtAlgorithm::kHs256 || key.empty()) return false;
  return SameSecret(jwt.signature, HmacSha256(key, jwt.signed_text));
}

std::string SignHs256(std::string_view claims, std::string_view key) {
  std::string token =
      absl::StrCat(absl::WebSafeBase64Escape(R"({"alg":"HS256","typ":"JWT"})"),
                   ".", absl::WebSafeBase64Escape(AbslView(claims)));
  const std::string signature = HmacSha256(key, token);
  absl::StrAppend(&token, ".", absl::WebSafeBase64Escape(signature));
  return token;
}

std::string HmacSha256(std::string_view key, std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  // Fails only where OpenSSL has no SHA-256.
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), Bytes(text),
       text.size(), digest.data(), nullptr);
  return {digest.begin(), digest.end()};
}

bool SameSecret(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string_view BearerToken(std::string_view authorization) {
  if (!absl::StartsWithIgnoreCase(AbslView(authorization), AbslView(kScheme))) {
    return "";
  }
  authorization.remove_prefix(kScheme.size());
  while (authorization.starts_with(' ')) authorization.remove_prefix(1);
  return authorization;
}

}  // namespace coord
