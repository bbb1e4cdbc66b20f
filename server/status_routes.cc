#include "server/status_routes.h"

#include <utility>

namespace coord {
namespace {

HttpResponse Text(int status, std::string body) {
  return {
      status, {{"content-type", "text/plain; version=0.0.4"}}, std::move(body)};
}

}  // namespace

void AddStatusRoutes(Router& router, std::function<bool()> ready,
                     std::function<std::string()> metrics) {
  router.Add("GET", "/healthz", [](auto, auto, HttpReply reply) {
    std::move(reply)(Text(200, "ok\n"));
  });
  // Of this process alone, never of the authority: a clusterd that can't reach
  // its authority still answers fan-outs.
  router.Add("GET", "/readyz",
             [ready = std::move(ready)](auto, auto, HttpReply reply) {
               std::move(reply)(ready() ? Text(200, "ready\n")
                                        : Text(503, "stopping\n"));
             });
  router.Add("GET", "/metrics",
             [metrics = std::move(metrics)](auto, auto, HttpReply reply) {
               std::move(reply)(Text(200, metrics()));
             });
}

}  // namespace coord
