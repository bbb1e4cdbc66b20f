// Which handler answers a path.
#ifndef SERVER_HTTP_ROUTER_H_
#define SERVER_HTTP_ROUTER_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "server/http/listener.h"

namespace coord {

// What the `{}` of a pattern matched, decoded, in order.
using PathParameters = std::vector<std::string>;
using RouteHandler =
    std::function<void(HttpServerRequest, PathParameters, HttpReply)>;

// What becomes of long and chunked bodies of requests.
enum class RequestBodies { kHeld, kStreamed };

// Patterns are paths whose segments are literal or `{}`, which matches one
// non-empty segment: `/itResources/{}/servers/{}`. `**` at the end matches all
// that follows, if anything does. A literal segment wins over `{}`, and that
// over `**`. HEAD is answered by GET's handler. Built at start, then only read.
class Router {
 public:
  void Add(std::string method, std::string_view pattern, RouteHandler handler);
  // The same for every method.
  void AddAnyMethod(std::string_view pattern, RouteHandler handler,
                    RequestBodies bodies = RequestBodies::kHeld);

  // Unknown path: 404; known path, other method: 405 with Allow; both JSON.
  void Handle(HttpServerRequest request, HttpReply reply) const;
  // Whether the handler of such a request takes its body as a stream.
  bool MayStream(const HttpServerRequest& head) const;

 private:
  struct Route {
    std::string method;  // empty: any
    std::vector<std::string> segments;
    RouteHandler handler;
    RequestBodies bodies = RequestBodies::kHeld;
  };

  // nullptr: none, and `allowed` are the methods that the path knows.
  const Route* Find(std::string_view method,
                    const std::vector<std::string>& segments,
                    std::vector<std::string>& allowed) const;

  std::vector<Route> routes_;
};

// An error of the node API: `{"statusCode","title","message"}`.
HttpResponse JsonError(int status, std::string_view message);
// The same of `status`, not OK: 400 INVALID_ARGUMENT, 401 UNAUTHENTICATED, 403
// PERMISSION_DENIED, 404 NOT_FOUND, 429 RESOURCE_EXHAUSTED, 503 for all else.
HttpResponse JsonError(const absl::Status& status);
// `body` as it is, with content-type application/json.
HttpResponse JsonAnswer(int status, std::string body);
// The reason phrase of `status`; `Unknown` when it has none.
std::string_view StatusTitle(int status);

}  // namespace coord

#endif  // SERVER_HTTP_ROUTER_H_
