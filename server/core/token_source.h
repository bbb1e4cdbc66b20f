// Where calls get their cluster token from; implemented by whoever speaks to
// the token service.
#ifndef SERVER_CORE_TOKEN_SOURCE_H_
#define SERVER_CORE_TOKEN_SOURCE_H_

#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"

namespace coord {

struct TokenRequest {
  std::string type;           // the service type whose credentials are used
  std::string audience;       // empty: that of the type
  bool cluster = true;        // a token for the node API of that type
  std::string customer_name;  // empty: none
};

class TokenSource {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<std::string>) &&>;

  virtual ~TokenSource() = default;

  // A valid access token, from the cache where possible; the empty string when
  // tokens are off. Thread-safe; `done` may be called inside, on any thread.
  // Errors: UNAVAILABLE · AUTHORITY_UNAVAILABLE (the token service does not
  // answer), FAILED_PRECONDITION · AUTHORITY_REJECTED_CREDENTIALS (no or wrong
  // credentials for the type).
  virtual void Get(TokenRequest request, Done done) = 0;

  // Forgets `token`: somebody refused it.
  virtual void Drop(const std::string& token) = 0;
};

}  // namespace coord

#endif  // SERVER_CORE_TOKEN_SOURCE_H_
