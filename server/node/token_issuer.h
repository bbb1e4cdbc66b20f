// The token service mST inside this process.
#ifndef SERVER_NODE_TOKEN_ISSUER_H_
#define SERVER_NODE_TOKEN_ISSUER_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/core/token_source.h"
#include "server/registry/credentials.h"

namespace coord {

struct TokenIssuerOptions {
  std::string issuer;        // `iss`: what clients have as OAUTH_ISSUER
  std::string mit_audience;  // of tokens for mIT
  Credentials clients;       // one for each type
  absl::Duration token_life = absl::Hours(1);
};

// Issues tokens, JWT by HS256, to the clients of its options. One for the node
// API of a type is signed by the key that the type checks it by. Tokens for mIT
// and refresh tokens are signed by keys derived from the client's secret: so
// nothing is kept, they outlive a restart, and with a new secret for a client
// all that the old one got is void. Nothing of a request goes into a log.
// Thread-safe.
class TokenIssuer final : public TokenSource {
 public:
  // Errors: INVALID_ARGUMENT, naming the type: a client of any type, one whose
  // type has no audience or key, a client id of two types, an audience of two
  // keys.
  static absl::StatusOr<std::unique_ptr<TokenIssuer>> Create(
      TokenIssuerOptions options, std::function<absl::Time()> wall_time);

  // Answers what was posted to the token endpoint, by client credentials or a
  // refresh token, with `{"data":{"access_token","refresh_token"}}`. Errors:
  // INVALID_ARGUMENT (what is asked for makes no sense; a refresh token that is
  // no longer good), UNAUTHENTICATED (unknown client or wrong secret).
  absl::StatusOr<std::string> Grant(std::string_view body) const;

  // The type of the client whose token for mIT an Authorization header holds.
  // Errors: PERMISSION_DENIED.
  absl::StatusOr<std::string> MitClientType(
      std::string_view authorization) const;

  // Tokens for calls that this process makes. A type that is none of the
  // clients' gets the empty string: it has no tokens. Calls `done` inside.
  void Get(TokenRequest request, Done done) override;
  // Nothing to forget: the next token is made as this one was.
  void Drop(const std::string& /*token*/) override {}

 private:
  struct Client {
    std::string id;
    std::string type;
    std::string scope;
    std::string node_audience;
    std::string mit_key;
    std::string refresh_key;
  };
  // What a token is to say.
  struct Wish {
    const Client* client = nullptr;
    std::string audience;
    bool cluster = false;
    std::string customer;
  };

  TokenIssuer(TokenIssuerOptions options,
              std::function<absl::Time()> wall_time);
  absl::Status Add(const std::string& type, const TypeCredentials& account);

  const Client* FindClient(std::string_view id) const;
  absl::StatusOr<Wish> RefreshedWish(std::string_view refresh_token) const;
  absl::StatusOr<std::string> AccessToken(const Wish& wish,
                                          absl::Time issued) const;
  std::string RefreshToken(const Wish& wish, absl::Time issued) const;
  std::string CommonClaims(const Wish& wish, absl::Time expiry) const;

  const TokenIssuerOptions options_;
  const std::function<absl::Time()> wall_time_;
  absl::flat_hash_map<std::string, Client> clients_;    // by id
  absl::flat_hash_map<std::string, std::string> ids_;   // by type
  absl::flat_hash_map<std::string, std::string> keys_;  // by audience
};

}  // namespace coord

#endif  // SERVER_NODE_TOKEN_ISSUER_H_
