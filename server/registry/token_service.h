// Tokens from the token service (mST, OAuth 2 client credentials), kept as long
// as they may be used.
#ifndef SERVER_REGISTRY_TOKEN_SERVICE_H_
#define SERVER_REGISTRY_TOKEN_SERVICE_H_

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/event_loop.h"
#include "common/url.h"
#include "server/core/token_source.h"
#include "server/http/transport.h"
#include "server/registry/credentials.h"

namespace coord {

struct TokenServiceOptions {
  bool on = true;    // MST_SET=off: every token is the empty string
  Origin origin;     // OAUTH_ISSUER, where to
  std::string path;  // and what is posted to there
  Credentials credentials;
  absl::Duration attempt_timeout = absl::Seconds(10);
  int retries = 2;  // on 5xx, 429 and no answer
  absl::Duration retry_pause = absl::Seconds(1);
};

// One fetch in flight for each (client, audience, cluster or not, customer),
// however many wait for it. Tokens and secrets never go into a log or an error.
class TokenService final : public TokenSource {
 public:
  // `loop` and `transport`, which lives on it, must outlive this object.
  TokenService(EventLoop& loop, HttpTransport& transport,
               TokenServiceOptions options);
  // On the loop, or after it stopped. Who still waits is not answered.
  ~TokenService() override;

  // A token in the cache is handed out inside the call. Further errors:
  // INTERNAL · AUTHORITY_BAD_ANSWER.
  void Get(TokenRequest request, Done done) override;
  void Drop(const std::string& token) override;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

// How long a token may be used that is `life` away from its expiry: up to 900 s
// before it, or half its life when it lives shorter than that.
absl::Duration UsableLife(absl::Duration life);

}  // namespace coord

#endif  // SERVER_REGISTRY_TOKEN_SERVICE_H_
