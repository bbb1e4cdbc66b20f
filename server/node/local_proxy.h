// The HTTP side of services that have no cluster code: whatever their cluster
// asks of them goes through here.
#ifndef SERVER_NODE_LOCAL_PROXY_H_
#define SERVER_NODE_LOCAL_PROXY_H_

#include <cstddef>
#include <string>

#include "absl/time/time.h"
#include "common/event_loop.h"
#include "server/fanout/splice.h"
#include "server/http/listener.h"
#include "server/http/router.h"
#include "server/http/transport.h"
#include "server/node/node_gate.h"
#include "server/node/registrar.h"

namespace coord {

struct LocalProxyOptions {
  absl::Duration request_timeout = absl::Seconds(10);
  std::size_t max_answer_bytes = 3 << 20;
};

// Passes requests below `/{type}/{serverId}` on to the local_base_url of that
// registration; the rest of the path as it came, and the query. Messages change
// as proxied_messages.h says. Nothing is repeated. Errors are JSON of the node
// API: those of NodeGate, 404 also when the server has its own address, 400 for
// a path that CheckCallPath refuses, those of ProxyFailure.
//
// Requests up to 64 KiB are held whole, and so are answers that get an
// envelope, within max_answer_bytes. Longer and chunked requests, and all other
// answers (StreamedAnswersTo), are passed on while they arrive, of any size and
// as fast as they are read at the other end. A request's body is asked for when
// the service has taken the head; it is given up when the answer is whole
// before it. request_timeout is the service's time: for what is held, for each
// piece of a request that is not, and from its end to the head of the answer;
// after that an answer may be quiet for as long as service and caller keep
// their connections. A caller that leaves ends the request to the service; what
// breaks off on one side cuts the connection on the other, so that it never
// looks whole. Lives on `loop`, which is the transport's and the listener's.
class LocalProxy {
 public:
  // `verifier` may be nullptr: no token is asked for.
  LocalProxy(EventLoop& loop, HttpTransport& transport, Registrar& registrar,
             const NodeTokenVerifier* verifier, LocalProxyOptions options);

  // Every method and path below `/{type}/{serverId}` that no other route takes.
  void AddTo(Router& router);

 private:
  void Forward(const RegistrationView& own, const std::string& correlation_id,
               HttpServerRequest request, HttpReply reply);

  HttpTransport& transport_;
  const NodeGate gate_;
  const LocalProxyOptions options_;
  NodeBodyReader reader_;
};

}  // namespace coord

#endif  // SERVER_NODE_LOCAL_PROXY_H_
