#include "tests/contract/stand_in_mit.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/correlation_id.h"
#include "server/registry/it_resource.h"
#include "tests/unit/registry/jwt.h"

namespace coord {
namespace {

namespace json = boost::json;

std::string TextOf(const json::object& object, json::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return "";
  return {value->get_string().data(), value->get_string().size()};
}

}  // namespace

StandInMit::StandInMit(bool asks_for_tokens)
    : asks_for_tokens_(asks_for_tokens) {
  router_.Add("POST", "/oauth/token",
              [this](HttpServerRequest, PathParameters, HttpReply reply) {
                std::move(reply)(IssueToken());
              });
  router_.Add(
      "POST", "/mIT/v1/itResources",
      [this](HttpServerRequest request, PathParameters, HttpReply reply) {
        std::move(reply)(IsAuthorized(request)
                             ? Register(request)
                             : JsonError(403, "unknown token"));
      });
  router_.Add("DELETE", "/mIT/v1/itResources/{}/servers/{}",
              [this](HttpServerRequest request, PathParameters parameters,
                     HttpReply reply) {
                std::move(reply)(IsAuthorized(request)
                                     ? Delete(parameters[0], parameters[1])
                                     : JsonError(403, "unknown token"));
              });
  auto listener = HttpListener::Start(
      loop_, {}, [this](HttpServerRequest request, HttpReply reply) {
        router_.Handle(std::move(request), std::move(reply));
      });
  if (!listener.ok()) throw std::runtime_error(listener.status().ToString());
  listener_ = *std::move(listener);
}

StandInMit::~StandInMit() = default;

std::string StandInMit::Record::Json() const {
  return absl::StrCat("{", members, R"(,"createdAt":")", created_at,
                      R"(","updatedAt":")", updated_at, R"("})");
}

HttpResponse StandInMit::IssueToken() {
  absl::MutexLock lock(&mutex_);
  const absl::Time expiry = absl::Now() + absl::Hours(1);
  token_ = Jwt(NextDate(), expiry);
  return JsonAnswer(200, TokenAnswerJson(token_, Jwt("refresh", expiry)));
}

bool StandInMit::IsAuthorized(const HttpServerRequest& request) {
  if (!asks_for_tokens_) return true;
  absl::MutexLock lock(&mutex_);
  return FindHeader(request.headers, "authorization") == "Bearer " + token_;
}

HttpResponse StandInMit::Register(const HttpServerRequest& request) {
  json::error_code error;
  const json::value root = json::parse(request.body, error);
  if (error || !root.is_object()) return JsonError(400, "not an object");
  const json::object& body = root.get_object();
  const std::string public_base_url = TextOf(body, "publicBaseUrl");
  const json::value* location = body.if_contains("location");

  absl::MutexLock lock(&mutex_);
  Cluster& cluster = ClusterOf(TextOf(body, "type"), public_base_url);
  Record& record = cluster.records[TextOf(body, "serverId")];
  record.members = absl::StrCat(
      R"("serverId":)", JsonString(TextOf(body, "serverId")),
      R"(,"clusterBaseUrl":)", JsonString(TextOf(body, "clusterBaseUrl")),
      R"(,"publicBaseUrl":)", JsonString(public_base_url), R"(,"location":)",
      location == nullptr ? "null" : json::serialize(*location));
  record.updated_at = NextDate();
  if (record.created_at.empty()) record.created_at = record.updated_at;
  const std::string servers = absl::StrJoin(
      cluster.records, ",",
      [](std::string* out, const auto& r) { out->append(r.second.Json()); });
  return JsonAnswer(
      200,
      absl::StrCat(R"({"itResource":{"id":)", JsonString(cluster.id),
                   R"(,"type":)", JsonString(cluster.type),
                   R"(,"publicBaseUrl":)", JsonString(cluster.public_base_url),
                   R"(,"servers":[)", servers, R"(]},"leaseTime":7200000})"));
}

// `target` is `<serverId>`, or `<serverId>@<updatedAt>`.
HttpResponse StandInMit::Delete(const std::string& cluster_id,
                                const std::string& target) {
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(target, absl::MaxSplits('@', 1));
  const auto& [server_id, seen] = parts;
  absl::MutexLock lock(&mutex_);
  for (auto& [key, cluster] : clusters_) {
    auto record = cluster.records.find(server_id);
    if (cluster.id != cluster_id || record == cluster.records.end()) continue;
    if (!seen.empty() &&
        ParseDate(record->second.updated_at) > ParseDate(seen)) {
      return JsonAnswer(
          200, absl::StrCat(R"({"server":)", record->second.Json(), "}"));
    }
    cluster.records.erase(record);
    return JsonAnswer(200,
                      absl::StrCat(R"({"data":)", JsonString(server_id), "}"));
  }
  return JsonError(404, "no such server");
}

StandInMit::Cluster& StandInMit::ClusterOf(const std::string& type,
                                           const std::string& public_base_url) {
  auto [it, is_new] = clusters_.try_emplace({type, public_base_url});
  if (is_new) {
    it->second.id = absl::StrCat("cluster-", clusters_.size());
    it->second.type = type;
    it->second.public_base_url = public_base_url;
  }
  return it->second;
}

std::string StandInMit::NextDate() {
  const absl::Time now = absl::FromUnixMillis(absl::ToUnixMillis(absl::Now()));
  last_date_ = std::max(now, last_date_ + absl::Milliseconds(1));
  return FormatDate(last_date_);
}

}  // namespace coord
