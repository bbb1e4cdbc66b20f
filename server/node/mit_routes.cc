#include "server/node/mit_routes.h"

#include <spdlog/spdlog.h>

#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "server/http/correlated_reply.h"
#include "server/registry/it_resource.h"

namespace coord {
namespace {

// `?managedCluster=off`: the server manages no cluster. Its record is the same.
bool IsManaged(std::string_view query) {
  return query.find("managedCluster=off") == std::string_view::npos;
}

// `<serverId>@<version>`, or an id alone.
struct Target {
  std::string server_id;
  std::optional<RecordVersion> version;
};

Target TargetOf(const std::string& segment) {
  const std::size_t at = segment.find('@');
  if (at == std::string::npos) return {segment, std::nullopt};
  return {segment.substr(0, at), RecordVersion{segment.substr(at + 1)}};
}

constexpr std::size_t kMaxToldBytes = 256;

Caller CallerOf(const HttpServerRequest& request) {
  auto told = [&](std::string_view name) {
    return std::string(
        FindHeader(request.headers, name).substr(0, kMaxToldBytes));
  };
  return {request.peer, told("x-correlation-id"), told("user-agent")};
}

}  // namespace

// A removal that was asked for.
struct MitRoutes::Departure {
  ServerKey key;
  bool was_member;
  bool fenced;  // by a version, as evictions are; else the server unregisters
  Caller caller;
};

MitRoutes::MitRoutes(EventLoop& loop, Registry& registry,
                     const Membership& membership, Registrar& registrar,
                     EvictionObserver& evictions, const TokenIssuer* tokens)
    : loop_(loop),
      registry_(registry),
      membership_(membership),
      registrar_(registrar),
      evictions_(evictions),
      tokens_(tokens) {}

void MitRoutes::AddTo(Router& router) {
  auto add = [this, &router](const char* method, const char* pattern,
                             auto handle) {
    router.Add(method, pattern,
               [this, handle](HttpServerRequest request,
                              PathParameters parameters, HttpReply reply) {
                 Correlate(FindHeader(request.headers, "x-correlation-id"),
                           loop_.WallTime(), reply);
                 handle(request, parameters, std::move(reply));
               });
  };
  add("POST", "/mIT/v1/itResources",
      [this](const HttpServerRequest& request, const PathParameters&,
             HttpReply reply) { Register(request, std::move(reply)); });
  add("DELETE", "/mIT/v1/itResources/{}/servers/{}",
      [this](const HttpServerRequest& request, const PathParameters& parameters,
             HttpReply reply) {
        Remove(request, parameters[0], parameters[1], std::move(reply));
      });
  if (tokens_ == nullptr) return;
  add("POST", "/mST/v1/oauth/token",
      [this](const HttpServerRequest& request, const PathParameters&,
             HttpReply reply) {
        const absl::StatusOr<std::string> tokens = tokens_->Grant(request.body);
        std::move(reply)(tokens.ok() ? JsonAnswer(200, *tokens)
                                     : JsonError(tokens.status()));
      });
}

absl::StatusOr<std::string> MitRoutes::ClientType(
    const HttpServerRequest& request) const {
  if (tokens_ == nullptr) return std::string(Credentials::kAnyType);
  return tokens_->MitClientType(FindHeader(request.headers, "authorization"));
}

absl::Status MitRoutes::CheckType(const std::string& client_type,
                                  const std::string& type) {
  if (client_type == Credentials::kAnyType || client_type == type) {
    return absl::OkStatus();
  }
  return absl::PermissionDeniedError(
      absl::StrCat("invalid token: it is of ", client_type, ", not of ", type));
}

void MitRoutes::Register(const HttpServerRequest& request, HttpReply reply) {
  const absl::StatusOr<std::string> client_type = ClientType(request);
  absl::StatusOr<Server> server =
      client_type.ok() ? ParseRegistration(request.body) : client_type.status();
  absl::Status status =
      server.ok() ? CheckType(*client_type, server->type) : server.status();
  // The store would find out, but at a price.
  if (status.ok()) {
    status = membership_.CheckRoom(server->type, server->public_base_url);
  }
  if (!status.ok()) {
    std::move(reply)(JsonError(status));
    return;
  }
  registry_.Register(
      {*std::move(server), IsManaged(request.query), ""},
      PostedTo(loop_,
               [this, reply = std::move(reply)](
                   const absl::StatusOr<RegisterAnswer>& answer) mutable {
                 std::move(reply)(FormRegistered(answer));
               }));
}

HttpResponse MitRoutes::FormRegistered(
    const absl::StatusOr<RegisterAnswer>& answer) const {
  if (!answer.ok()) return JsonError(answer.status());
  const auto cluster = membership_.Snapshot("", answer->cluster.id);
  if (!cluster.ok()) return JsonError(cluster.status());
  return JsonAnswer(
      200, absl::StrCat(R"({"itResource":)", ItResourceJson(**cluster),
                        R"(,"leaseTime":)",
                        absl::ToInt64Milliseconds(answer->lease), "}"));
}

void MitRoutes::Remove(const HttpServerRequest& request,
                       const std::string& cluster_id, const std::string& target,
                       HttpReply reply) {
  const absl::StatusOr<std::string> client_type = ClientType(request);
  const absl::StatusOr<SnapshotPtr> cluster =
      client_type.ok() ? membership_.Snapshot("", cluster_id)
                       : client_type.status();
  const absl::Status status =
      cluster.ok() ? CheckType(*client_type, (*cluster)->identity.type)
                   : cluster.status();
  if (!status.ok()) {
    std::move(reply)(JsonError(status));
    return;
  }
  Target named = TargetOf(target);
  const ServerKey key{cluster_id, std::move(named.server_id)};
  const std::string& type = (*cluster)->identity.type;
  auto answer = PostedTo(
      loop_, [this,
              asked = Departure{key, (*cluster)->Find(key.server_id) != nullptr,
                                named.version.has_value(), CallerOf(request)},
              reply = std::move(reply)](
                 const absl::StatusOr<Removal>& removal) mutable {
        std::move(reply)(FormRemoved(asked, removal));
      });
  if (named.version) {
    registry_.Remove(key, type, {*std::move(named.version)}, std::move(answer));
    return;
  }
  registry_.Unregister(key, type,
                       [answer = std::move(answer)](
                           const absl::StatusOr<Removed>& removed) mutable {
                         answer(removed.ok() ? absl::StatusOr<Removal>(*removed)
                                             : removed.status());
                       });
}

HttpResponse MitRoutes::FormRemoved(const Departure& asked,
                                    const absl::StatusOr<Removal>& removal) {
  const ServerKey& key = asked.key;
  if (!removal.ok()) return JsonError(removal.status());
  if (const auto* newer = std::get_if<NewerRecord>(&*removal)) {
    return JsonAnswer(
        200, absl::StrCat(R"({"server":)", ServerJson(newer->record), "}"));
  }
  if (!asked.was_member) return JsonError(404, "there is no such server");
  spdlog::info(
      "{} over mIT's API{}{}", asked.fenced ? "evicted" : "unregistered",
      Fields({{"server_id", key.server_id}, {"cluster_id", key.cluster_id}}),
      FieldsOf(asked.caller));
  if (asked.fenced) evictions_.OnEvicted(EvictionCause::kPeer);
  // One that is held here and lives comes back.
  registrar_.Contested(key, Claim::kRemovedAtMit);
  return JsonAnswer(
      200, absl::StrCat(R"({"data":)", JsonString(key.server_id), "}"));
}

}  // namespace coord
