#include "server/node/node_routes.h"

#include <utility>
#include <vector>

#include "absl/random/random.h"
#include "common/correlation_id.h"
#include "common/ids.h"
#include "common/text_view.h"
#include "server/registry/it_resource.h"

namespace coord {
namespace {

constexpr std::string_view kProbeId = "-";

HttpResponse WithCorrelationId(HttpResponse response, std::string id) {
  response.headers.push_back({"x-correlation-id", std::move(id)});
  return response;
}

HttpResponse Refusal(const absl::Status& status) {
  const int code =
      status.code() == absl::StatusCode::kInvalidArgument ? 400 : 403;
  return JsonError(code, StdView(status.message()));
}

NodeRequest NodeRequestOf(const HttpServerRequest& request,
                          const PathParameters& parameters) {
  return {parameters[0], parameters[1],
          std::string(FindHeader(request.headers, "authorization")),
          std::string(FindHeader(request.headers, "x-correlation-id"))};
}

}  // namespace

// What both routes have in common: the token, the registration, the headers.
// `form` makes the answer of a server that is registered here.
template <typename Form>
void NodeRoutes::Handle(NodeRequest request, Reply reply, Form form) {
  absl::InsecureBitGen random;
  std::string correlation_id = NextCorrelationId(
      request.correlation_id, RandomUuid(random), loop_.WallTime());
  if (verifier_ != nullptr) {
    const absl::Status status =
        verifier_->Verify(request.type, request.authorization);
    if (!status.ok()) {
      loop_.Post([reply = std::move(reply), status,
                  correlation_id = std::move(correlation_id)]() mutable {
        std::move(reply)(
            WithCorrelationId(Refusal(status), std::move(correlation_id)));
      });
      return;
    }
  }
  registrar_.Get(
      {request.type, "", request.server_id, ""},
      [reply = std::move(reply), form = std::move(form),
       correlation_id = std::move(correlation_id)](
          absl::StatusOr<RegistrationView> registration) mutable {
        HttpResponse response =
            registration.ok()
                ? form(*registration)
                : JsonError(404, StdView(registration.status().message()));
        std::move(reply)(
            WithCorrelationId(std::move(response), std::move(correlation_id)));
      });
}

NodeRoutes::NodeRoutes(EventLoop& loop, Membership& membership,
                       Registrar& registrar, const NodeTokenVerifier* verifier)
    : loop_(loop),
      membership_(membership),
      registrar_(registrar),
      verifier_(verifier) {}

void NodeRoutes::Join(NodeRequest request, std::string body, Reply reply) {
  Handle(std::move(request), std::move(reply),
         [this, body = std::move(body)](const RegistrationView& own) {
           return FormJoin(own, body);
         });
}

HttpResponse NodeRoutes::FormJoin(const RegistrationView& own,
                                  const std::string& body) {
  absl::StatusOr<ItResource> joined = ParseItResource(body);
  if (!joined.ok()) return JsonError(400, StdView(joined.status().message()));
  const std::string& id = own.server.server_id;
  if (own.cluster_id.empty()) {
    return JsonAnswer(200, NodeAnswer("null", id));
  }
  if (joined->identity.id == own.cluster_id) {
    for (Server& server : joined->servers) server.type = own.server.type;
    Follow(own, membership_.MergeJoin(own.cluster_id, joined->servers,
                                      loop_.WallTime()));
  } else {
    registrar_.RefreshSoon(own.cluster_id);
  }
  auto cluster = membership_.Snapshot(own.server.type, own.cluster_id);
  return JsonAnswer(
      200, NodeAnswer(cluster.ok() ? ItResourceJson(**cluster) : "null", id));
}

void NodeRoutes::Leave(NodeRequest request, std::string cluster_id,
                       std::string server_id, Reply reply) {
  Handle(std::move(request), std::move(reply),
         [this, cluster_id = std::move(cluster_id),
          server_id = std::move(server_id)](const RegistrationView& own) {
           return FormLeave(own, cluster_id, server_id);
         });
}

HttpResponse NodeRoutes::FormLeave(const RegistrationView& own,
                                   const std::string& cluster_id,
                                   const std::string& server_id) {
  const std::string& id = own.server.server_id;
  if (own.cluster_id.empty() || cluster_id != own.cluster_id) {
    if (cluster_id != kProbeId && !own.cluster_id.empty()) {
      registrar_.RefreshSoon(own.cluster_id);
    }
    return JsonAnswer(200, NodeAnswer("null", id));
  }
  Follow(own,
         membership_.MergeLeave(own.cluster_id, server_id, loop_.WallTime()));
  registrar_.RefreshSoon(own.cluster_id);
  return JsonAnswer(200, NodeAnswer(JsonString(server_id), id));
}

void NodeRoutes::Follow(const RegistrationView& own,
                        const Membership::MergeOutcome& outcome) {
  if (outcome.unknown_cluster) registrar_.RefreshSoon(own.cluster_id);
  for (const std::string& server_id : outcome.contested) {
    registrar_.Contested({own.cluster_id, server_id});
  }
}

void NodeRoutes::AddTo(Router& router) {
  router.Add("POST", "/{}/{}/itResources",
             [this](HttpServerRequest request, PathParameters parameters,
                    HttpReply reply) {
               Join(NodeRequestOf(request, parameters), std::move(request.body),
                    std::move(reply));
             });
  router.Add("DELETE", "/{}/{}/itResources/{}/servers/{}",
             [this](HttpServerRequest request, PathParameters parameters,
                    HttpReply reply) {
               Leave(NodeRequestOf(request, parameters), parameters[2],
                     parameters[3], std::move(reply));
             });
}

}  // namespace coord
