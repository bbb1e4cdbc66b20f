// Whose requests to the node API are to be believed.
#ifndef SERVER_NODE_TOKEN_VERIFIER_H_
#define SERVER_NODE_TOKEN_VERIFIER_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/node/jwt.h"
#include "server/node/node_gate.h"
#include "server/registry/credentials.h"

namespace coord {

// Verifies cluster tokens: signed by a key of the type (HS256: the generic key
// or the one before it where there is a generic key, else the access key; RS256
// and ES256: the public key), issued by the issuer, for the type's audience,
// not expired, with a scope, `type` `cluster` and `subType` the type asked.
// Thread-safe.
class TokenVerifier final : public NodeTokenVerifier {
 public:
  struct Options {
    std::string issuer;  // `iss`; empty: any
    // Clocks of issuer and verifier may differ by this much.
    absl::Duration leeway = absl::Seconds(30);
    // PEM, for RS256 and ES256, of every type; empty: none.
    std::string public_key_pem;
    // What a type without credentials does: accept everybody, or nobody.
    bool accept_without_keys = false;
  };

  // Errors: INVALID_ARGUMENT when the public key is none.
  static absl::StatusOr<TokenVerifier> Create(
      Options options, Credentials credentials,
      std::function<absl::Time()> wall_time);

  absl::Status Verify(const std::string& type,
                      const std::string& authorization) const override;

 private:
  TokenVerifier(Options options, Credentials credentials,
                std::optional<PublicKey> public_key,
                std::function<absl::Time()> wall_time);
  bool IsSigned(const Jwt& jwt, const TypeCredentials& keys) const;
  absl::Status CheckClaims(const Jwt& jwt, const TypeCredentials& keys,
                           const std::string& type) const;

  const Options options_;
  const Credentials credentials_;
  const std::optional<PublicKey> public_key_;
  const std::function<absl::Time()> wall_time_;
};

}  // namespace coord

#endif  // SERVER_NODE_TOKEN_VERIFIER_H_
