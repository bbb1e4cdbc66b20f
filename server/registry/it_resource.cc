#include "server/registry/it_resource.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/correlation_id.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/text_view.h"
#include "common/url.h"
#include "common/utf8.h"
#include "server/registry/json_member.h"

namespace coord {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxBytes = 1 << 20;
constexpr std::size_t kMaxRegistrationBytes = 16 << 10;
constexpr std::size_t kMaxDepth = 32;

bool IsKnownMember(json::string_view name) {
  for (json::string_view known : {"serverId", "clusterBaseUrl", "publicBaseUrl",
                                  "location", "createdAt", "updatedAt"}) {
    if (name == known) return true;
  }
  return false;
}

std::string ExtraMembers(const json::object& record) {
  json::object extra;
  for (const auto& member : record) {
    if (!IsKnownMember(member.key())) extra.insert(member);
  }
  return extra.empty() ? std::string() : json::serialize(extra);
}

void ReadDates(const json::object& record, Server& server) {
  const std::string created = StringMember(record, "createdAt").value_or("");
  const std::string updated = StringMember(record, "updatedAt").value_or("");
  server.create_time = ParseDate(created);
  server.version = {updated.empty() ? created : updated};
  server.update_time = ParseDate(server.version.text);
}

// The date that `version` is, letter by letter, or else the date as we write
// it: an authority that only gives out dates gets its own text back.
std::string UpdateDate(const Server& server) {
  if (ParseDate(server.version.text) == server.update_time) {
    return server.version.text;
  }
  return FormatDate(server.update_time);
}

void AppendServer(const Server& server, std::string& out) {
  absl::StrAppend(&out, "{\"serverId\":", JsonString(server.server_id),
                  ",\"clusterBaseUrl\":", JsonString(server.cluster_base_url),
                  ",\"publicBaseUrl\":", JsonString(server.public_base_url),
                  ",\"location\":", server.location_json);
  if (server.create_time != absl::InfinitePast()) {
    absl::StrAppend(
        &out, ",\"createdAt\":", JsonString(FormatDate(server.create_time)));
  }
  if (server.update_time != absl::InfinitePast()) {
    absl::StrAppend(&out, ",\"updatedAt\":", JsonString(UpdateDate(server)));
  }
  if (server.extra_json.size() > 2) {
    out += ',';
    out.append(server.extra_json, 1, server.extra_json.size() - 2);
  }
  out += '}';
}

template <typename Servers>
std::string JsonOf(const ClusterIdentity& identity, const Servers& servers) {
  std::string out =
      absl::StrCat("{\"id\":", JsonString(identity.id),
                   ",\"type\":", JsonString(identity.type),
                   ",\"publicBaseUrl\":", JsonString(identity.public_base_url),
                   ",\"servers\":[");
  for (const ServerPtr& server : servers) {
    if (out.back() != '[') out += ',';
    AppendServer(*server, out);
  }
  out += "]}";
  return out;
}

}  // namespace

absl::StatusOr<Server> ReadServerRecord(const json::value& value,
                                        const ClusterIdentity& cluster,
                                        const std::string& name) {
  if (!value.is_object()) return InvalidField(name, "must be an object");
  const json::object& record = value.get_object();
  Server server;
  server.type = cluster.type;
  server.server_id = StringMember(record, "serverId").value_or("");
  if (server.server_id.empty()) {
    return InvalidField(name + ".serverId", "must be a string, not empty");
  }
  std::optional<std::string> base = StringMember(record, "clusterBaseUrl");
  if (!base) return InvalidField(name + ".clusterBaseUrl", "must be a string");
  server.cluster_base_url = *std::move(base);
  server.public_base_url =
      StringMember(record, "publicBaseUrl").value_or(cluster.public_base_url);
  if (const json::value* location = record.if_contains("location")) {
    server.location_json = json::serialize(*location);
  }
  server.extra_json = ExtraMembers(record);
  server.node_api = NodeApi::kUnknown;
  ReadDates(record, server);
  return server;
}

absl::StatusOr<ItResource> ParseItResource(std::string_view text) {
  if (text.size() > kMaxBytes) {
    return InvalidField("itResource", "must be at most 1 MiB");
  }
  json::error_code error;
  json::parse_options options;
  options.max_depth = kMaxDepth;
  const json::value root =
      json::parse({text.data(), text.size()}, error, {}, options);
  if (error) {
    return InvalidField("itResource", "is not JSON: " + error.message());
  }
  return ReadItResource(root);
}

absl::StatusOr<ItResource> ReadItResource(const json::value& root) {
  if (!root.is_object()) return InvalidField("itResource", "must be an object");
  const json::object& object = root.get_object();

  ItResource result;
  result.identity.id = StringMember(object, "id").value_or("");
  if (result.identity.id.empty()) {
    return InvalidField("id", "must be a string, not empty");
  }
  result.identity.type = StringMember(object, "type").value_or("");
  if (result.identity.type.empty()) {
    return InvalidField("type", "must be a string, not empty");
  }
  result.identity.public_base_url =
      StringMember(object, "publicBaseUrl").value_or("");

  const json::value* servers = object.if_contains("servers");
  if (servers == nullptr || !servers->is_array()) {
    return InvalidField("servers", "must be an array");
  }
  result.servers.reserve(servers->get_array().size());
  for (const json::value& value : servers->get_array()) {
    absl::StatusOr<Server> server =
        ReadServerRecord(value, result.identity,
                         absl::StrCat("servers[", result.servers.size(), "]"));
    if (!server.ok()) return server.status();
    result.servers.push_back(*std::move(server));
  }
  return result;
}

absl::StatusOr<Server> ParseRegistration(std::string_view text) {
  if (text.size() > kMaxRegistrationBytes) {
    return InvalidField("registration", "must be at most 16 KiB");
  }
  json::error_code error;
  json::value root = json::parse({text.data(), text.size()}, error);
  if (error) {
    return InvalidField("registration", "is not JSON: " + error.message());
  }
  if (!root.is_object()) {
    return InvalidField("registration", "must be an object");
  }
  json::object& object = root.get_object();
  const std::string type = StringMember(object, "type").value_or("");
  if (!IsValidServerType(type)) return InvalidField("type", kServerTypeRule);
  object.erase("type");
  absl::StatusOr<Server> server =
      ReadServerRecord(root, {"", type, ""}, "registration");
  if (!server.ok()) return server;
  if (!IsValidServerId(server->server_id)) {
    return InvalidField("serverId", kServerIdRule);
  }
  if (const auto url = ParseBaseUrl(server->cluster_base_url); !url.ok()) {
    return InvalidField("clusterBaseUrl", StdView(url.status().message()));
  }
  if (server->public_base_url.size() > kMaxUrlBytes ||
      HasControlCharacter(server->public_base_url)) {
    return InvalidField("publicBaseUrl",
                        "must be at most 2048 bytes, no control characters");
  }
  return server;
}

std::string ItResourceJson(const ClusterSnapshot& cluster) {
  return JsonOf(cluster.identity, cluster.servers);
}

std::string ItResourceJson(const ClusterIdentity& identity,
                           const std::vector<ServerPtr>& servers) {
  return JsonOf(identity, servers);
}

std::string ServerJson(const Server& server) {
  std::string out;
  AppendServer(server, out);
  return out;
}

std::string NodeAnswer(std::string_view data_json, std::string_view server_id) {
  std::string answer = "{\"data\":";
  answer += data_json;
  answer += ",\"server\":{\"serverId\":" + JsonString(server_id) + "}}";
  return answer;
}

std::string AnsweringServerId(std::string_view answer) {
  json::error_code error;
  const json::value root = json::parse({answer.data(), answer.size()}, error);
  if (error || !root.is_object()) return "";
  const json::value* server = root.get_object().if_contains("server");
  if (server == nullptr || !server->is_object()) return "";
  return StringMember(server->get_object(), "serverId").value_or("");
}

std::string JsonString(std::string_view text) {
  return json::serialize(json::string_view(text.data(), text.size()));
}

}  // namespace coord
