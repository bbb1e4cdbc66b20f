// The two itResources routes that a clustered service serves, formed for any
// server that is registered here.
#ifndef SERVER_NODE_NODE_ROUTES_H_
#define SERVER_NODE_NODE_ROUTES_H_

#include <string>

#include "absl/functional/any_invocable.h"
#include "common/event_loop.h"
#include "server/core/membership.h"
#include "server/http/message.h"
#include "server/http/router.h"
#include "server/node/registrar.h"

namespace coord {

// Judges the Authorization header of a request to the node API of `type`.
class NodeTokenVerifier {
 public:
  virtual ~NodeTokenVerifier() = default;
  // OK, or INVALID_ARGUMENT (wrong kind or type: 400), PERMISSION_DENIED (bad
  // or missing: 403). Thread-safe.
  virtual absl::Status Verify(const std::string& type,
                              const std::string& authorization) const = 0;
};

struct NodeRequest {
  std::string type;  // the registered server that was asked
  std::string server_id;
  std::string authorization;
  std::string correlation_id;
};

// Thread-safe; answers come on `loop`. Errors are answers, too: `{"statusCode",
// "title","message"}` with 4xx wherever that is true, since a genuine node
// evicts whoever answers 5xx.
class NodeRoutes {
 public:
  using Reply = absl::AnyInvocable<void(HttpResponse) &&>;

  // `verifier` may be nullptr: no token is asked for.
  NodeRoutes(EventLoop& loop, Membership& membership, Registrar& registrar,
             const NodeTokenVerifier* verifier);

  // `POST /itResources`: a join. 404 when the server is not registered here.
  void Join(NodeRequest request, std::string body, Reply reply);
  // `DELETE /itResources/{id}/servers/{serverId}`: a leave or a probe.
  void Leave(NodeRequest request, std::string cluster_id, std::string server_id,
             Reply reply);

  // Serves both below `/{type}/{serverId}`.
  void AddTo(Router& router);

 private:
  template <typename Form>
  void Handle(NodeRequest request, Reply reply, Form form);
  HttpResponse FormJoin(const RegistrationView& own, const std::string& body);
  HttpResponse FormLeave(const RegistrationView& own,
                         const std::string& cluster_id,
                         const std::string& server_id);
  void Follow(const RegistrationView& own,
              const Membership::MergeOutcome& outcome);

  EventLoop& loop_;
  Membership& membership_;
  Registrar& registrar_;
  const NodeTokenVerifier* verifier_;
};

}  // namespace coord

#endif  // SERVER_NODE_NODE_ROUTES_H_
