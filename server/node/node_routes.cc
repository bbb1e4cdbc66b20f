#include "server/node/node_routes.h"

#include <cstddef>
#include <utility>
#include <vector>

#include "common/text_view.h"
#include "server/node/join_list.h"
#include "server/registry/it_resource.h"

namespace coord {
namespace {

constexpr std::string_view kProbeId = "-";
// Of the list in an answer to a join, which every sender takes.
constexpr std::size_t kMaxAnswerBytes = 1 << 20;

}  // namespace

NodeRoutes::NodeRoutes(EventLoop& loop, Membership& membership,
                       Registrar& registrar, bool follow_peers,
                       const NodeTokenVerifier* verifier)
    : loop_(loop),
      membership_(membership),
      registrar_(registrar),
      follow_peers_(follow_peers),
      gate_(loop, registrar, verifier) {}

void NodeRoutes::Join(NodeRequest request, std::string body, Reply reply) {
  gate_.Admit(std::move(request), std::move(reply),
              [this, body = std::move(body)](const RegistrationView& own,
                                             const std::string&, Reply answer) {
                std::move(answer)(FormJoin(own, body));
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
    TakeJoin(own, std::move(joined->servers));
  } else {
    registrar_.RefreshSoon(own.cluster_id);
  }
  auto cluster = membership_.Snapshot(own.server.type, own.cluster_id);
  if (!cluster.ok()) return JsonAnswer(200, NodeAnswer("null", id));
  return JsonAnswer(
      200, NodeAnswer(JoinList(**cluster, id, kMaxAnswerBytes).json(), id));
}

void NodeRoutes::Leave(NodeRequest request, std::string cluster_id,
                       std::string server_id, Reply reply) {
  gate_.Admit(
      std::move(request), std::move(reply),
      [this, cluster_id = std::move(cluster_id),
       server_id = std::move(server_id)](const RegistrationView& own,
                                         const std::string&, Reply answer) {
        std::move(answer)(FormLeave(own, cluster_id, server_id));
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
  TakeLeave(own, server_id);
  registrar_.RefreshSoon(own.cluster_id);
  return JsonAnswer(200, NodeAnswer(JsonString(server_id), id));
}

void NodeRoutes::TakeJoin(const RegistrationView& own,
                          std::vector<Server> servers) {
  if (!follow_peers_) return;
  for (Server& server : servers) server.type = own.server.type;
  Follow(own, membership_.MergeJoin(own.cluster_id, servers, loop_.WallTime()),
         Claim::kMoveTold);
}

void NodeRoutes::TakeLeave(const RegistrationView& own,
                           const std::string& server_id) {
  if (follow_peers_) {
    Follow(own,
           membership_.MergeLeave(own.cluster_id, server_id, loop_.WallTime()),
           Claim::kLeaveTold);
  } else {
    // Whoever says so of one that lives here has dropped it; it will hear of it
    // again.
    registrar_.Contested({own.cluster_id, server_id}, Claim::kLeaveTold);
  }
}

void NodeRoutes::Follow(const RegistrationView& own,
                        const Membership::MergeOutcome& outcome, Claim claim) {
  // Whom there is no room for here, the authority may have on its list.
  if (outcome.unknown_cluster || outcome.refused > 0) {
    registrar_.RefreshSoon(own.cluster_id);
  }
  for (const std::string& server_id : outcome.contested) {
    registrar_.Contested({own.cluster_id, server_id}, claim);
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
