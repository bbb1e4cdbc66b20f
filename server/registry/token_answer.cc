#include "server/registry/token_answer.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "server/registry/json_member.h"

namespace coord {
namespace {

namespace json = boost::json;

// The characters of a bearer token (RFC 6750); so no token can forge a header.
bool IsBearerToken(absl::string_view text) {
  for (const char c : text) {
    const bool allowed = absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                         absl::StrContains("-._~+/=", c);
    if (!allowed) return false;
  }
  return !text.empty();
}

// `exp` of a JWT. Its signature is the business of whoever accepts it.
std::optional<absl::Time> ExpiryOf(absl::string_view jwt) {
  const std::vector<absl::string_view> parts = absl::StrSplit(jwt, '.');
  std::string claims;
  if (parts.size() != 3 || !absl::WebSafeBase64Unescape(parts[1], &claims)) {
    return std::nullopt;
  }
  json::error_code error;
  const json::value root = json::parse(claims, error);
  if (error || !root.is_object()) return std::nullopt;
  const json::value* exp = root.get_object().if_contains("exp");
  if (exp == nullptr || !exp->is_number()) return std::nullopt;
  return absl::FromUnixSeconds(0) + absl::Seconds(exp->to_number<double>());
}

std::optional<IssuedToken> ReadToken(const json::object& data,
                                     std::string_view name) {
  std::optional<std::string> text = StringMember(data, name);
  if (!text) return std::nullopt;
  const std::optional<absl::Time> expiry = ExpiryOf(*text);
  if (!IsBearerToken(*text) || !expiry) return std::nullopt;
  return IssuedToken{*std::move(text), *expiry};
}

}  // namespace

std::optional<TokenAnswer> ParseTokenAnswer(std::string_view body) {
  json::error_code error;
  const json::value root = json::parse({body.data(), body.size()}, error);
  if (error || !root.is_object()) return std::nullopt;
  const json::value* data = root.get_object().if_contains("data");
  if (data == nullptr || !data->is_object()) return std::nullopt;
  std::optional<IssuedToken> access =
      ReadToken(data->get_object(), "access_token");
  if (!access) return std::nullopt;
  return TokenAnswer{*std::move(access),
                     ReadToken(data->get_object(), "refresh_token")};
}

}  // namespace coord
