// The routes of the authority mIT and of the token service mST, served to
// genuine nodes over the registry in this process.
#ifndef SERVER_NODE_MIT_ROUTES_H_
#define SERVER_NODE_MIT_ROUTES_H_

#include <string>

#include "absl/status/statusor.h"
#include "common/event_loop.h"
#include "server/core/membership.h"
#include "server/http/listener.h"
#include "server/http/router.h"
#include "server/node/eviction_observer.h"
#include "server/node/registrar.h"
#include "server/node/token_issuer.h"
#include "server/registry/registry.h"

namespace coord {

// `POST /mIT/v1/itResources` registers or renews, `DELETE
// /mIT/v1/itResources/{id}/servers/{serverId}[@{version}]` removes, if a
// version is given only a record that is not newer; `POST /mST/v1/oauth/token`
// grants tokens. Who registers this way serves the node API. With tokens the
// mIT routes ask for one, 403 else, and it is good for servers of its client's
// type alone. Errors are `{"statusCode","title","message"}`; 429 when no more
// servers or clusters are taken, which a genuine node meets by trying again at
// its interval; 503 when the store fails. Lives on `loop`.
class MitRoutes {
 public:
  // `registry` pushes its changes to `membership`. `tokens` may be nullptr:
  // none are asked for, and mST is not served. All must outlive it.
  MitRoutes(EventLoop& loop, Registry& registry, const Membership& membership,
            Registrar& registrar, EvictionObserver& evictions,
            const TokenIssuer* tokens);

  void AddTo(Router& router);

 private:
  void Register(const HttpServerRequest& request, HttpReply reply);
  // `target` is the last segment of the path, version and all.
  void Remove(const HttpServerRequest& request, const std::string& cluster_id,
              const std::string& target, HttpReply reply);

  // Of whom the request's token is; any type where none are asked for.
  absl::StatusOr<std::string> ClientType(
      const HttpServerRequest& request) const;
  static absl::Status CheckType(const std::string& client_type,
                                const std::string& type);
  HttpResponse FormRegistered(
      const absl::StatusOr<RegisterAnswer>& answer) const;
  struct Departure;
  HttpResponse FormRemoved(const Departure& asked,
                           const absl::StatusOr<Removal>& removal);

  EventLoop& loop_;
  Registry& registry_;
  const Membership& membership_;
  Registrar& registrar_;
  EvictionObserver& evictions_;
  const TokenIssuer* const tokens_;
};

}  // namespace coord

#endif  // SERVER_NODE_MIT_ROUTES_H_
