#include "server/node/token_verifier.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"

namespace coord {
namespace {

absl::Status Refused(std::string_view why) {
  return absl::PermissionDeniedError(
      absl::StrCat("invalid token: ", std::string(why)));
}

absl::Status WrongKind(std::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("invalid token: ", std::string(why)));
}

}  // namespace

absl::StatusOr<TokenVerifier> TokenVerifier::Create(
    Options options, Credentials credentials,
    std::function<absl::Time()> wall_time) {
  std::optional<PublicKey> public_key;
  if (!options.public_key_pem.empty()) {
    absl::StatusOr<PublicKey> key = PublicKey::FromPem(options.public_key_pem);
    if (!key.ok()) return key.status();
    public_key = *std::move(key);
  }
  return TokenVerifier(std::move(options), std::move(credentials),
                       std::move(public_key), std::move(wall_time));
}

TokenVerifier::TokenVerifier(Options options, Credentials credentials,
                             std::optional<PublicKey> public_key,
                             std::function<absl::Time()> wall_time)
    : options_(std::move(options)),
      credentials_(std::move(credentials)),
      public_key_(std::move(public_key)),
      wall_time_(std::move(wall_time)) {}

absl::Status TokenVerifier::Verify(const std::string& type,
                                   const std::string& authorization) const {
  const TypeCredentials* keys = credentials_.Find(type);
  if (keys == nullptr && options_.accept_without_keys) return absl::OkStatus();
  const std::string_view token = BearerToken(authorization);
  if (token.empty()) return Refused("there is none");
  absl::StatusOr<Jwt> jwt = ParseJwt(token);
  if (!jwt.ok()) return Refused("it can't be read");
  if (keys == nullptr) return Refused("this type has no keys here");
  if (!IsSigned(*jwt, *keys)) return Refused("its signature is wrong");
  return CheckClaims(*jwt, *keys, type);
}

bool TokenVerifier::IsSigned(const Jwt& jwt,
                             const TypeCredentials& keys) const {
  if (jwt.algorithm != JwtAlgorithm::kHs256) {
    return public_key_ && public_key_->Verifies(jwt);
  }
  if (keys.generic_key.empty()) {
    return VerifiesHs256(jwt, keys.client_access_key);
  }
  // Both are always tried, so that time tells nothing of which one fits.
  const bool current = VerifiesHs256(jwt, keys.generic_key);
  const bool previous = VerifiesHs256(jwt, keys.generic_previous_key);
  return current || previous;
}

absl::Status TokenVerifier::CheckClaims(const Jwt& jwt,
                                        const TypeCredentials& keys,
                                        const std::string& type) const {
  const absl::Time now = wall_time_();
  if (jwt.expiry + options_.leeway <= now) return Refused("it has expired");
  if (jwt.not_before - options_.leeway > now) {
    return Refused("it is not valid yet");
  }
  if (!options_.issuer.empty() && jwt.issuer != options_.issuer) {
    return Refused("its issuer is not the one expected");
  }
  if (std::find(jwt.audiences.begin(), jwt.audiences.end(),
                keys.NodeAudience()) == jwt.audiences.end()) {
    return Refused("it is for another audience");
  }
  if (!jwt.has_scope) return Refused("it has no scope");
  if (jwt.kind != kClusterKind) return WrongKind("must be a cluster token");
  if (jwt.sub_type != type) return WrongKind("it is for another type");
  return absl::OkStatus();
}

}  // namespace coord
