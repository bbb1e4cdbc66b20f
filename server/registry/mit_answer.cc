#include "server/registry/mit_answer.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "server/registry/it_resource.h"

namespace coord {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDepth = 64;
constexpr absl::Duration kDefaultLease = absl::Hours(2);
constexpr absl::Duration kLongestLease = absl::Hours(24 * 365);

absl::Status BadAnswer(absl::string_view what) {
  return MakeError(
      Reason::kAuthorityBadAnswer,
      absl::StrCat("the authority's answer makes no sense: ", what));
}

absl::StatusOr<json::object> ParseObject(std::string_view body) {
  json::error_code error;
  json::parse_options options;
  options.max_depth = kMaxDepth;
  json::value root =
      json::parse({body.data(), body.size()}, error, {}, options);
  if (error) return BadAnswer("it is not JSON");
  if (!root.is_object()) return BadAnswer("it is not an object");
  return std::move(root.get_object());
}

// The member `name`; nullptr when it is absent or null.
const json::value* Member(const json::object& object, json::string_view name) {
  const json::value* value = object.if_contains(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

absl::Duration ReadLease(const json::object& answer) {
  const json::value* lease = Member(answer, "leaseTime");
  if (lease == nullptr || !lease->is_number()) return kDefaultLease;
  const absl::Duration granted = absl::Milliseconds(lease->to_number<double>());
  if (granted <= absl::ZeroDuration()) return kDefaultLease;
  return std::min(granted, kLongestLease);
}

}  // namespace

absl::StatusOr<RegisterAnswer> ParseRegisterAnswer(std::string_view body,
                                                   const Server& registered) {
  absl::StatusOr<json::object> root = ParseObject(body);
  if (!root.ok()) return root.status();
  const json::object* answer = &*root;
  const json::value* data = Member(*answer, "data");
  if (data != nullptr && data->is_object()) answer = &data->get_object();
  const json::value* resource = Member(*answer, "itResource");
  if (resource == nullptr) return BadAnswer("itResource is missing");

  absl::StatusOr<ItResource> cluster = ReadItResource(*resource);
  if (!cluster.ok()) {
    return BadAnswer(absl::StrCat("itResource: ", cluster.status().message()));
  }
  if (cluster->identity.type != registered.type) {
    return BadAnswer("it is about another type");
  }
  RegisterAnswer result;
  result.cluster = std::move(cluster->identity);
  result.lease = ReadLease(*answer);
  result.servers = std::move(cluster->servers);
  for (const Server& server : *result.servers) {
    if (server.server_id == registered.server_id) {
      result.record = server;
      return result;
    }
  }
  return BadAnswer("it lacks the server that was registered");
}

absl::StatusOr<Removal> ParseRemovalAnswer(std::string_view body,
                                           const ServerKey& key,
                                           const std::string& type) {
  absl::StatusOr<json::object> answer = ParseObject(body);
  if (!answer.ok()) return answer.status();
  if (Member(*answer, "data") != nullptr) return Removed{};
  const json::value* record = Member(*answer, "server");
  if (record == nullptr) return BadAnswer("it has neither data nor server");
  absl::StatusOr<Server> newer =
      ReadServerRecord(*record, {key.cluster_id, type, ""}, "server");
  if (!newer.ok()) return BadAnswer(newer.status().message());
  if (newer->server_id != key.server_id) {
    return BadAnswer("it is about another server");
  }
  return NewerRecord{*std::move(newer)};
}

}  // namespace coord
