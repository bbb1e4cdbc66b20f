#include "server/node/token_issuer.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/text_view.h"
#include "server/node/jwt.h"
#include "server/registry/it_resource.h"
#include "server/registry/json_member.h"

namespace coord {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxRequestBytes = 64 << 10;
constexpr std::size_t kMaxCustomerBytes = 256;
constexpr absl::Duration kRefreshLife = absl::Hours(24);
// Our own calls see one token for this part of its life, so that what was
// serialised with it can be used again.
constexpr int kStepsOfLife = 12;
constexpr std::string_view kClientSuffix = "@clients";

std::string MitKey(std::string_view client_secret) {
  return HmacSha256(client_secret, "clusterd: tokens for mIT");
}

std::string RefreshKey(std::string_view client_secret) {
  return HmacSha256(client_secret, "clusterd: refresh tokens");
}

// A string member; empty when it is absent or anything else.
std::string Text(const json::object& object, std::string_view name) {
  return StringMember(object, name).value_or("");
}

absl::Status Refused(absl::string_view why) {
  return absl::PermissionDeniedError(absl::StrCat("invalid token: ", why));
}

}  // namespace

absl::StatusOr<std::unique_ptr<TokenIssuer>> TokenIssuer::Create(
    TokenIssuerOptions options, std::function<absl::Time()> wall_time) {
  std::unique_ptr<TokenIssuer> issuer(
      new TokenIssuer(std::move(options), std::move(wall_time)));
  for (const auto& [type, account] : issuer->options_.clients.by_type()) {
    absl::Status added = issuer->Add(type, account);
    if (!added.ok()) return added;
  }
  return issuer;
}

TokenIssuer::TokenIssuer(TokenIssuerOptions options,
                         std::function<absl::Time()> wall_time)
    : options_(std::move(options)), wall_time_(std::move(wall_time)) {}

absl::Status TokenIssuer::Add(const std::string& type,
                              const TypeCredentials& account) {
  auto wrong = [&type](absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat("issue tokens to ", type, ": ", what));
  };
  if (type == Credentials::kAnyType) {
    return wrong("a client must be of one type");
  }
  const std::string& audience = account.NodeAudience();
  const std::string& key = account.NodeKey();
  if (audience.empty() || key.empty()) {
    return wrong(
        "its node API needs generic_audience and generic_key, or "
        "client_audience and client_access_key");
  }
  if (audience == options_.mit_audience) {
    return wrong("its audience is that of mIT");
  }
  if (keys_.try_emplace(audience, key).first->second != key) {
    return wrong("another type has the same audience with another key");
  }
  const bool is_new =
      clients_
          .try_emplace(account.client_id,
                       Client{account.client_id, type, account.scope, audience,
                              MitKey(account.client_secret),
                              RefreshKey(account.client_secret)})
          .second;
  if (!is_new) return wrong("another type has the same client_id");
  ids_[type] = account.client_id;
  return absl::OkStatus();
}

absl::StatusOr<std::string> TokenIssuer::Grant(std::string_view body) const {
  if (body.size() > kMaxRequestBytes) {
    return absl::InvalidArgumentError("must be at most 64 KiB");
  }
  json::error_code error;
  const json::value root = json::parse({body.data(), body.size()}, error);
  if (error || !root.is_object()) {
    return absl::InvalidArgumentError("must be a JSON object");
  }
  const json::object& request = root.get_object();
  Wish wish;
  if (const std::string grant = Text(request, "grant_type");
      grant == "refresh_token") {
    absl::StatusOr<Wish> refreshed =
        RefreshedWish(Text(request, "refresh_token"));
    if (!refreshed.ok()) return refreshed.status();
    wish = *std::move(refreshed);
  } else if (grant == "client_credentials") {
    wish = {FindClient(Text(request, "client_id")), Text(request, "audience"),
            Text(request, "type") == kClusterKind,
            Text(request, "customer_name")};
    // Takes as long for an unknown client as for a wrong secret.
    const std::string key = RefreshKey(Text(request, "client_secret"));
    if (wish.client == nullptr || !SameSecret(key, wish.client->refresh_key)) {
      return absl::UnauthenticatedError("unknown client or wrong secret");
    }
  } else {
    return absl::InvalidArgumentError(
        "grant_type must be client_credentials or refresh_token");
  }
  const absl::Time now = wall_time_();
  absl::StatusOr<std::string> access = AccessToken(wish, now);
  if (!access.ok()) return access;
  return absl::StrCat(R"({"data":{"access_token":")", *access,
                      R"(","refresh_token":")", RefreshToken(wish, now),
                      R"("}})");
}

absl::StatusOr<TokenIssuer::Wish> TokenIssuer::RefreshedWish(
    std::string_view refresh_token) const {
  const absl::Status refused =
      absl::InvalidArgumentError("the refresh token is not good any more");
  const absl::StatusOr<Jwt> jwt = ParseJwt(refresh_token);
  if (!jwt.ok()) return refused;
  std::string_view id = jwt->subject;
  if (!id.ends_with(kClientSuffix)) return refused;
  id.remove_suffix(kClientSuffix.size());
  const Client* client = FindClient(id);
  if (client == nullptr || !VerifiesHs256(*jwt, client->refresh_key) ||
      jwt->expiry <= wall_time_() || jwt->audiences.size() != 1) {
    return refused;
  }
  return Wish{client, jwt->audiences.front(), jwt->kind == kClusterKind,
              jwt->customer};
}

absl::StatusOr<std::string> TokenIssuer::AccessToken(const Wish& wish,
                                                     absl::Time issued) const {
  if (wish.customer.size() > kMaxCustomerBytes) {
    return absl::InvalidArgumentError(
        "customer_name must be at most 256 bytes");
  }
  const std::string* key = nullptr;
  if (wish.audience == options_.mit_audience) {
    if (wish.cluster) {
      return absl::InvalidArgumentError("mIT takes no cluster tokens");
    }
    key = &wish.client->mit_key;
  } else if (auto it = keys_.find(wish.audience); it != keys_.end()) {
    key = &it->second;
  } else {
    return absl::InvalidArgumentError("the audience is nobody's here");
  }
  return SignHs256(
      absl::StrCat(CommonClaims(wish, issued + options_.token_life),
                   R"(,"subType":)", JsonString(wish.client->type),
                   R"(,"scope":)", JsonString(wish.client->scope), R"(,"iat":)",
                   absl::ToUnixSeconds(issued), "}"),
      *key);
}

std::string TokenIssuer::RefreshToken(const Wish& wish,
                                      absl::Time issued) const {
  return SignHs256(CommonClaims(wish, issued + kRefreshLife) + "}",
                   wish.client->refresh_key);
}

// An object that is still open.
std::string TokenIssuer::CommonClaims(const Wish& wish,
                                      absl::Time expiry) const {
  std::string claims =
      absl::StrCat(R"({"iss":)", JsonString(options_.issuer), R"(,"aud":)",
                   JsonString(wish.audience), R"(,"sub":)",
                   JsonString(wish.client->id + std::string(kClientSuffix)),
                   R"(,"exp":)", absl::ToUnixSeconds(expiry));
  if (wish.cluster) claims += R"(,"type":"cluster")";
  if (!wish.customer.empty()) {
    absl::StrAppend(&claims, R"(,"cust":)", JsonString(wish.customer));
  }
  return claims;
}

const TokenIssuer::Client* TokenIssuer::FindClient(std::string_view id) const {
  auto it = clients_.find(AbslView(id));
  return it == clients_.end() ? nullptr : &it->second;
}

absl::StatusOr<std::string> TokenIssuer::MitClientType(
    std::string_view authorization) const {
  const absl::StatusOr<Jwt> jwt = ParseJwt(BearerToken(authorization));
  if (!jwt.ok()) return Refused("there is none, or it can't be read");
  std::string_view id = jwt->subject;
  if (id.ends_with(kClientSuffix)) id.remove_suffix(kClientSuffix.size());
  const Client* client = FindClient(id);
  if (client == nullptr || !VerifiesHs256(*jwt, client->mit_key)) {
    return Refused("its signature is wrong");
  }
  if (jwt->expiry <= wall_time_()) return Refused("it has expired");
  return client->type;
}

void TokenIssuer::Get(TokenRequest request, Done done) {
  const auto id = ids_.find(request.type);
  if (id == ids_.end()) {
    std::move(done)("");
    return;
  }
  const Client& client = clients_.at(id->second);
  const Wish wish{
      &client,
      request.audience.empty() ? client.node_audience : request.audience,
      request.cluster, std::move(request.customer_name)};
  const absl::Duration since = wall_time_() - absl::UnixEpoch();
  const absl::Duration step = options_.token_life / kStepsOfLife;
  std::move(done)(
      AccessToken(wish, absl::UnixEpoch() + absl::Floor(since, step)));
}

}  // namespace coord
