// What the token service answers. Pure.
#ifndef SERVER_REGISTRY_TOKEN_ANSWER_H_
#define SERVER_REGISTRY_TOKEN_ANSWER_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"

namespace coord {

struct IssuedToken {
  std::string text;
  absl::Time expiry;
};

struct TokenAnswer {
  IssuedToken access;
  std::optional<IssuedToken> refresh;  // absent or unusable: none
};

// Reads `{"data":{"access_token","refresh_token"}}`, both JWT with `exp`.
// nullopt when there is no access token that a header could carry.
std::optional<TokenAnswer> ParseTokenAnswer(std::string_view body);

}  // namespace coord

#endif  // SERVER_REGISTRY_TOKEN_ANSWER_H_
