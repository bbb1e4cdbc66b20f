#include "server/authority_settings.h"

#include <cstdlib>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/url.h"

namespace coord {
namespace {

std::string FromEnvironment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? "" : value;
}

// A secret out of its file, else out of the environment. A flag would show it
// to whoever lists processes.
absl::StatusOr<std::string> Secret(const std::string& name,
                                   const std::string& file) {
  if (file.empty()) return FromEnvironment(name);
  absl::StatusOr<std::string> secret = ReadSecretFile(file);
  if (!secret.ok()) return Annotate(secret.status(), name + "_FILE");
  return secret;
}

absl::StatusOr<BaseUrl> Url(const std::string& setting,
                            const std::string& text) {
  absl::StatusOr<BaseUrl> url = ParseBaseUrl(text);
  if (!url.ok()) {
    return Annotate(url.status(), absl::StrCat(setting, ": `", text, "`"));
  }
  return url;
}

absl::Status Missing(const std::string& setting, const std::string& why) {
  return absl::InvalidArgumentError(
      absl::StrCat(setting, " is not set; ", why));
}

}  // namespace

void AuthoritySettings::Declare(CLI::App& app) {
  SettingGroup group(app, "Authority mIT and token service mST");
  group.OneOf<Kind>("--registry", "CLUSTERD_REGISTRY", kind_,
                    {{"embedded", Kind::kEmbedded}, {"mit", Kind::kMit}},
                    "mit with --mit-url, else embedded",
                    "who holds clusters and grants leases");
  group.Text("--mit-url", "MIT_URL", "URL", mit_url_, "base URL of mIT");
  group.Text("--mit-audience", "MIT_AUDIENCE", "AUDIENCE", mit_audience_,
             "audience of tokens for mIT");
  group.OnOff("--serve-mit", "CLUSTERD_SERVE_MIT", serve_mit_,
              "on: be mIT, at /mIT/v1, over the embedded registry; with "
              "credentials also mST, at /mST/v1/oauth/token, else nobody is "
              "asked for a token");
  group.Duration("--token-life", "CLUSTERD_TOKEN_LIFE", token_life_,
                 absl::Seconds(1), absl::Hours(24),
                 "how long tokens of this mST are good");
  group.OnOff("--mst-set", "MST_SET", tokens_,
              "off: no tokens, neither sent nor asked for");
  group.Text("--oauth-issuer", "OAUTH_ISSUER", "URL", issuer_,
             "where tokens come from, and their `iss`");
  group.Text("--credentials-file", "CLUSTERD_CREDENTIALS_FILE", "PATH",
             credentials_file_,
             "JSON with the credentials of each service type, which mST knows "
             "too; those below are of the one type SERVER_TYPE, or of any");
  group.Text("--oauth-client-id", "OAUTH_CLIENT_ID", "ID", client_id_,
             "client id");
  group.Text("--oauth-client-secret-file", "OAUTH_CLIENT_SECRET_FILE", "PATH",
             client_secret_file_,
             "file with the client secret (or OAUTH_CLIENT_SECRET)");
  group.Text("--oauth-client-audience", "OAUTH_CLIENT_AUDIENCE", "AUDIENCE",
             client_audience_, "audience of tokens for the service itself");
  group.Text("--oauth-client-access-key-file", "OAUTH_CLIENT_ACCESS_KEY_FILE",
             "PATH", access_key_file_,
             "file with the key that checks them (or OAUTH_CLIENT_ACCESS_KEY)");
  group.Text("--oauth-generic-audience", "OAUTH_GENERIC_AUDIENCE", "AUDIENCE",
             generic_audience_, "audience of tokens by the generic key");
  group.Text("--oauth-generic-key-file", "OAUTH_GENERIC_KEY_FILE", "PATH",
             generic_key_file_,
             "file with the generic key (or OAUTH_GENERIC_KEY)");
  group.Text("--oauth-generic-previous-key-file",
             "OAUTH_GENERIC_PREVIOUS_KEY_FILE", "PATH", previous_key_file_,
             "file with the generic key before it (or "
             "OAUTH_GENERIC_PREVIOUS_KEY)");
  group.Text("--oauth-public-key-file", "OAUTH_PUBLIC_KEY_FILE", "PATH",
             public_key_file_,
             "PEM public key that checks RS256 and ES256 tokens");
}

absl::StatusOr<Credentials> AuthoritySettings::ReadCredentials(
    const std::string& server_type) const {
  Credentials credentials;
  if (!credentials_file_.empty()) {
    absl::StatusOr<Credentials> read = Credentials::FromFile(credentials_file_);
    if (!read.ok()) return read.status();
    credentials = *std::move(read);
  }
  if (client_id_.empty()) {
    if (!credentials_file_.empty()) return credentials;
    return Missing("OAUTH_CLIENT_ID",
                   "tokens need it or --credentials-file (or MST_SET=off)");
  }
  TypeCredentials own{.client_id = client_id_,
                      .client_audience = client_audience_,
                      .generic_audience = generic_audience_};
  if (!server_type.empty()) {
    own.audience = FromEnvironment(
        absl::StrCat(absl::AsciiStrToUpper(server_type), "_AUDIENCE"));
  }
  const std::pair<std::string*, absl::StatusOr<std::string>> secrets[] = {
      {&own.client_secret, Secret("OAUTH_CLIENT_SECRET", client_secret_file_)},
      {&own.client_access_key,
       Secret("OAUTH_CLIENT_ACCESS_KEY", access_key_file_)},
      {&own.generic_key, Secret("OAUTH_GENERIC_KEY", generic_key_file_)},
      {&own.generic_previous_key,
       Secret("OAUTH_GENERIC_PREVIOUS_KEY", previous_key_file_)}};
  for (const auto& [target, secret] : secrets) {
    if (!secret.ok()) return secret.status();
    *target = *secret;
  }
  credentials.Set(
      server_type.empty() ? std::string(Credentials::kAnyType) : server_type,
      std::move(own));
  return credentials;
}

bool AuthoritySettings::IsMit() const {
  return kind_ == Kind::kMit || (kind_ == Kind::kByUrl && !mit_url_.empty());
}

absl::StatusOr<std::optional<MitSettings>> AuthoritySettings::Resolve(
    const std::string& server_type, const std::string& server_version,
    absl::Duration request_timeout) const {
  if (!IsMit()) return std::nullopt;
  if (mit_url_.empty()) return Missing("MIT_URL", "--registry=mit needs it");
  absl::StatusOr<BaseUrl> url = Url("MIT_URL", mit_url_);
  if (!url.ok()) return url.status();

  MitSettings settings;
  settings.registry.url = *std::move(url);
  settings.registry.audience = mit_audience_;
  settings.registry.version = server_version;
  settings.registry.attempt_timeout = request_timeout;
  settings.tokens.attempt_timeout = request_timeout;
  settings.tokens.on = tokens_;
  if (!tokens_) return settings;

  if (issuer_.empty()) {
    return Missing("OAUTH_ISSUER", "tokens need it (or MST_SET=off)");
  }
  absl::StatusOr<BaseUrl> issuer = Url("OAUTH_ISSUER", issuer_);
  if (!issuer.ok()) return issuer.status();
  settings.tokens.origin = issuer->origin;
  settings.tokens.path = issuer->path.empty() ? "/" : issuer->path;
  settings.verifier.issuer = issuer_;
  absl::StatusOr<Credentials> credentials = ReadCredentials(server_type);
  if (!credentials.ok()) return credentials.status();
  settings.tokens.credentials = *std::move(credentials);
  if (!public_key_file_.empty()) {
    absl::StatusOr<std::string> pem = ReadSecretFile(public_key_file_);
    if (!pem.ok()) return Annotate(pem.status(), "OAUTH_PUBLIC_KEY_FILE");
    settings.verifier.public_key_pem = *std::move(pem);
  }
  return settings;
}

absl::StatusOr<std::optional<MitServiceSettings>>
AuthoritySettings::ResolveService(const std::string& server_type) const {
  if (!serve_mit_) return std::nullopt;
  if (IsMit()) {
    return absl::InvalidArgumentError(
        "--serve-mit needs --registry=embedded: a clusterd that asks mIT can't "
        "be it");
  }
  MitServiceSettings settings;
  const bool has_credentials =
      !credentials_file_.empty() || !client_id_.empty();
  if (!tokens_ || !has_credentials) return settings;
  if (issuer_.empty()) {
    return Missing("OAUTH_ISSUER",
                   "tokens name it: the URL of /mST/v1/oauth/token here, as "
                   "clients have it (or MST_SET=off)");
  }
  if (mit_audience_.empty()) {
    return Missing("MIT_AUDIENCE", "tokens for mIT need it (or MST_SET=off)");
  }
  absl::StatusOr<Credentials> credentials = ReadCredentials(server_type);
  if (!credentials.ok()) return credentials.status();
  settings.tokens = TokenIssuerOptions{issuer_, mit_audience_,
                                       *std::move(credentials), token_life_};
  return settings;
}

}  // namespace coord
