// The two itResources routes that a clustered service serves, formed for any
// server that is registered here.
#ifndef SERVER_NODE_NODE_ROUTES_H_
#define SERVER_NODE_NODE_ROUTES_H_

#include <string>

#include "common/event_loop.h"
#include "server/core/membership.h"
#include "server/http/message.h"
#include "server/http/router.h"
#include "server/node/node_gate.h"
#include "server/node/registrar.h"

namespace coord {

// Thread-safe; answers come on `loop`. Errors are answers, too: `{"statusCode",
// "title","message"}` with 4xx wherever that is true, since a genuine node
// evicts whoever answers 5xx.
class NodeRoutes {
 public:
  using Reply = NodeGate::Reply;

  // `follow_peers`: whether joins and leaves change the membership. Not where
  // the authority pushes its changes: it knew of each before any peer did, and
  // what a peer missed must not be undone here. `verifier` may be nullptr: no
  // token is asked for.
  NodeRoutes(EventLoop& loop, Membership& membership, Registrar& registrar,
             bool follow_peers, const NodeTokenVerifier* verifier);

  // `POST /itResources`: a join. 404 when the server is not registered here.
  void Join(NodeRequest request, std::string body, Reply reply);
  // `DELETE /itResources/{id}/servers/{serverId}`: a leave or a probe.
  void Leave(NodeRequest request, std::string cluster_id, std::string server_id,
             Reply reply);

  // Serves both below `/{type}/{serverId}`.
  void AddTo(Router& router);

 private:
  HttpResponse FormJoin(const RegistrationView& own, const std::string& body);
  HttpResponse FormLeave(const RegistrationView& own,
                         const std::string& cluster_id,
                         const std::string& server_id);
  void TakeJoin(const RegistrationView& own, std::vector<Server> servers);
  void TakeLeave(const RegistrationView& own, const std::string& server_id);
  void Follow(const RegistrationView& own,
              const Membership::MergeOutcome& outcome, Claim claim);

  EventLoop& loop_;
  Membership& membership_;
  Registrar& registrar_;
  const bool follow_peers_;
  const NodeGate gate_;
};

}  // namespace coord

#endif  // SERVER_NODE_NODE_ROUTES_H_
