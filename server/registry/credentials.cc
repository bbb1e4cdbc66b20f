#include "server/registry/credentials.h"

#include <array>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/ids.h"
#include "common/text_view.h"

namespace coord {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxSecretBytes = 64 << 10;
constexpr std::size_t kMaxFileBytes = 4 << 20;
constexpr std::string_view kFileSuffix = "_file";

struct Member {
  std::string_view name;
  std::string TypeCredentials::*field;
};
constexpr std::array<Member, 9> kMembers = {{
    {"client_id", &TypeCredentials::client_id},
    {"client_secret", &TypeCredentials::client_secret},
    {"audience", &TypeCredentials::audience},
    {"client_audience", &TypeCredentials::client_audience},
    {"client_access_key", &TypeCredentials::client_access_key},
    {"generic_audience", &TypeCredentials::generic_audience},
    {"generic_key", &TypeCredentials::generic_key},
    {"generic_previous_key", &TypeCredentials::generic_previous_key},
    {"scope", &TypeCredentials::scope},
}};

absl::StatusOr<std::string> ReadFile(const std::string& path,
                                     std::size_t max_bytes) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return absl::InvalidArgumentError(
        absl::StrCat("read ", path, ": can't be opened"));
  }
  std::string content(max_bytes + 1, '\0');
  file.read(content.data(), static_cast<std::streamsize>(content.size()));
  content.resize(static_cast<std::size_t>(file.gcount()));
  if (content.size() > max_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("read ", path, ": over ", max_bytes, " bytes"));
  }
  return content;
}

absl::Status ReadMember(std::string_view name, const json::value& value,
                        TypeCredentials& credentials) {
  if (!value.is_string()) return absl::InvalidArgumentError("not a string");
  std::string text(value.get_string().data(), value.get_string().size());
  const bool is_file = name.ends_with(kFileSuffix);
  if (is_file) name.remove_suffix(kFileSuffix.size());
  for (const Member& member : kMembers) {
    if (member.name != name) continue;
    if (is_file) {
      absl::StatusOr<std::string> secret = ReadSecretFile(text);
      if (!secret.ok()) return secret.status();
      text = *std::move(secret);
    }
    credentials.*member.field = std::move(text);
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("unknown member");
}

absl::StatusOr<TypeCredentials> ReadType(const json::value& value) {
  if (!value.is_object()) return absl::InvalidArgumentError(": not an object");
  TypeCredentials credentials;
  for (const auto& member : value.get_object()) {
    const std::string_view name(member.key().data(), member.key().size());
    absl::Status read = ReadMember(name, member.value(), credentials);
    if (!read.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(".", AbslView(name), ": ", read.message()));
    }
  }
  if (credentials.client_id.empty()) {
    return absl::InvalidArgumentError(": client_id is missing");
  }
  if (credentials.client_secret.empty()) {
    return absl::InvalidArgumentError(": client_secret is missing");
  }
  return credentials;
}

}  // namespace

const std::string& TypeCredentials::CallAudience() const {
  if (!audience.empty()) return audience;
  return generic_audience.empty() ? client_audience : generic_audience;
}

absl::StatusOr<Credentials> Credentials::FromFile(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path, kMaxFileBytes);
  if (!text.ok()) return text.status();
  auto wrong = [&path](absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat("read credentials ", path, ": ", what));
  };
  json::error_code error;
  const json::value root = json::parse(*text, error);
  if (error) return wrong("not JSON: " + error.message());
  if (!root.is_object()) return wrong("not an object");
  Credentials credentials;
  for (const auto& member : root.get_object()) {
    std::string type(member.key().data(), member.key().size());
    if (type != kAnyType && !IsValidServerType(type)) {
      return wrong("a type " + std::string(kServerTypeRule) + ", or be *");
    }
    absl::StatusOr<TypeCredentials> read = ReadType(member.value());
    if (!read.ok()) return wrong(type + std::string(read.status().message()));
    credentials.Set(std::move(type), *std::move(read));
  }
  return credentials;
}

void Credentials::Set(std::string type, TypeCredentials credentials) {
  by_type_.insert_or_assign(std::move(type), std::move(credentials));
}

const TypeCredentials* Credentials::Find(std::string_view type) const {
  auto it = by_type_.find(AbslView(type));
  if (it == by_type_.end()) it = by_type_.find(AbslView(kAnyType));
  return it == by_type_.end() ? nullptr : &it->second;
}

absl::StatusOr<std::string> ReadSecretFile(const std::string& path) {
  absl::StatusOr<std::string> content = ReadFile(path, kMaxSecretBytes);
  if (!content.ok()) return content;
  absl::string_view secret = *content;
  if (absl::ConsumeSuffix(&secret, "\n")) absl::ConsumeSuffix(&secret, "\r");
  if (secret.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("read ", path, ": empty"));
  }
  return std::string(secret);
}

}  // namespace coord
