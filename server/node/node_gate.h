// What every route of a registered server has in common: who may ask, whether
// the server is registered here, and the correlation id.
#ifndef SERVER_NODE_NODE_GATE_H_
#define SERVER_NODE_NODE_GATE_H_

#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "common/event_loop.h"
#include "server/http/listener.h"
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

// Of a request whose path begins with `/{type}/{serverId}`.
NodeRequest NodeRequestOf(const HttpServerRequest& request,
                          const PathParameters& parameters);

// Thread-safe.
class NodeGate {
 public:
  using Reply = absl::AnyInvocable<void(HttpResponse) &&>;
  // `correlation_id` is the one of this step, which `reply` adds to the answer.
  using Admitted = absl::AnyInvocable<void(const RegistrationView& own,
                                           const std::string& correlation_id,
                                           Reply reply) &&>;

  // `loop` need not be the registrar's. `verifier` may be nullptr: no token is
  // asked for.
  NodeGate(EventLoop& loop, Registrar& registrar,
           const NodeTokenVerifier* verifier)
      : loop_(loop), registrar_(registrar), verifier_(verifier) {}

  // Calls `admitted` on the loop; or answers there what keeps the request out:
  // 400 or 403 for its token, 404 when the server is not registered here.
  void Admit(NodeRequest request, Reply reply, Admitted admitted) const;

 private:
  EventLoop& loop_;
  Registrar& registrar_;
  const NodeTokenVerifier* verifier_;
};

}  // namespace coord

#endif  // SERVER_NODE_NODE_GATE_H_
