// The settings of the authority mIT and the token service mST.
#ifndef SERVER_AUTHORITY_SETTINGS_H_
#define SERVER_AUTHORITY_SETTINGS_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/node/token_issuer.h"
#include "server/node/token_verifier.h"
#include "server/registry/credentials.h"
#include "server/registry/mit_registry.h"
#include "server/registry/token_service.h"
#include "server/settings.h"

namespace coord {

// What is needed to be a client of mIT.
struct MitSettings {
  MitRegistryOptions registry;
  TokenServiceOptions tokens;
  TokenVerifier::Options verifier;
  // Whether calls carry tokens and the node API asks for them: MST_SET.
  bool use_tokens() const { return tokens.on; }
};

// What is needed to be mIT, and mST, for others.
struct MitServiceSettings {
  std::optional<TokenIssuerOptions> tokens;  // nullopt: none are asked for
};

class AuthoritySettings {
 public:
  void Declare(CLI::App& app);

  // nullopt: the embedded registry. `server_type` is SERVER_TYPE, whose
  // credentials the environment gives. Secrets are read from their files here.
  // Errors: INVALID_ARGUMENT, naming the setting that is missing or wrong,
  // never a secret.
  absl::StatusOr<std::optional<MitSettings>> Resolve(
      const std::string& server_type, const std::string& server_version,
      absl::Duration request_timeout) const;

  // nullopt: mIT is not served. Tokens are on where there are credentials.
  // Errors: as Resolve; that the registry is mit.
  absl::StatusOr<std::optional<MitServiceSettings>> ResolveService(
      const std::string& server_type) const;

 private:
  enum class Kind { kByUrl, kEmbedded, kMit };

  bool IsMit() const;

  absl::StatusOr<Credentials> ReadCredentials(
      const std::string& server_type) const;

  Kind kind_ = Kind::kByUrl;
  std::string mit_url_;
  std::string mit_audience_;
  bool serve_mit_ = false;
  bool tokens_ = true;
  absl::Duration token_life_ = TokenIssuerOptions().token_life;
  std::string issuer_;
  std::string client_id_;
  std::string client_audience_;
  std::string generic_audience_;
  std::string credentials_file_;
  std::string public_key_file_;
  // Files that hold a secret each; the secret itself may be in the environment.
  std::string client_secret_file_;
  std::string access_key_file_;
  std::string generic_key_file_;
  std::string previous_key_file_;
};

}  // namespace coord

#endif  // SERVER_AUTHORITY_SETTINGS_H_
