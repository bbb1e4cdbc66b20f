// JSON Web Tokens (RFC 7519) as the node API accepts them and mST issues them.
#ifndef SERVER_NODE_JWT_H_
#define SERVER_NODE_JWT_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

struct evp_pkey_st;

namespace coord {

// The `type` of cluster tokens.
inline constexpr std::string_view kClusterKind = "cluster";

enum class JwtAlgorithm { kHs256, kRs256, kEs256 };

// A token taken apart; believed only once its signature was verified.
struct Jwt {
  JwtAlgorithm algorithm = JwtAlgorithm::kHs256;
  std::string signed_text;  // header and claims as they were signed
  std::string signature;    // bytes

  // Claims; empty or InfinitePast where there are none or they are not of the
  // type that they should be.
  std::string issuer;
  std::string subject;
  std::string kind;      // `type`
  std::string sub_type;  // `subType`
  std::vector<std::string> audiences;
  bool has_scope = false;
  std::string customer;  // `cust`
  absl::Time expiry = absl::InfinitePast();
  absl::Time not_before = absl::InfinitePast();
};

// Takes a token of at most 16 KiB apart. Errors: INVALID_ARGUMENT, without
// anything of the token; so are `alg: none` and every algorithm but the three.
absl::StatusOr<Jwt> ParseJwt(std::string_view token);

// A public key, RSA or P-256.
class PublicKey {
 public:
  // Errors: INVALID_ARGUMENT when `pem` is neither.
  static absl::StatusOr<PublicKey> FromPem(std::string_view pem);

  // Whether `jwt` carries a signature by the other half of this key. A token
  // whose algorithm is not that of the key does not.
  bool Verifies(const Jwt& jwt) const;

 private:
  explicit PublicKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}
  std::shared_ptr<evp_pkey_st> key_;
};

// Whether `jwt` is HS256 by `key`; compares in constant time. Never true for an
// empty key.
bool VerifiesHs256(const Jwt& jwt, std::string_view key);

// The token that says `claims`, a JSON object, signed HS256 by `key`.
std::string SignHs256(std::string_view claims, std::string_view key);

// HMAC-SHA256: 32 bytes.
std::string HmacSha256(std::string_view key, std::string_view text);

// Whether two texts are the same. Takes as long for any two of one length.
bool SameSecret(std::string_view a, std::string_view b);

// The token of an Authorization header; empty when there is none.
std::string_view BearerToken(std::string_view authorization);

}  // namespace coord

#endif  // SERVER_NODE_JWT_H_
