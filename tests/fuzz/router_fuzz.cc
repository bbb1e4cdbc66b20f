#include <string>

#include "common/utf8.h"
#include "server/http/router.h"
#include "tests/fuzz/must.h"

namespace coord {
namespace {

// The routes of clusterd, each answering with its own status, 200 and on.
Router Routes() {
  Router router;
  int status = 200;
  const auto answer = [&status] {
    return [status = status++](HttpServerRequest request,
                               PathParameters parameters, HttpReply reply) {
      for (const std::string& parameter : parameters) {
        Must(parameter.size() <= request.path.size());
      }
      std::move(reply)(JsonAnswer(status, "{}"));
    };
  };
  for (const auto& [method, pattern] :
       {std::pair{"GET", "/healthz"},
        {"POST", "/{}/{}/itResources"},
        {"DELETE", "/{}/{}/itResources/{}/servers/{}"},
        {"POST", "/mIT/v1/itResources"},
        {"DELETE", "/mIT/v1/itResources/{}/servers/{}"}}) {
    router.Add(method, pattern, answer());
  }
  router.AddAnyMethod("/{}/{}/**", answer());
  return router;
}

}  // namespace
}  // namespace coord

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  static const coord::Router router = coord::Routes();
  const std::string text(coord::Input(data, size));
  const std::size_t space = text.find(' ');
  coord::HttpServerRequest request;
  request.method = text.substr(0, space);
  request.path = space == std::string::npos ? "/" : text.substr(space + 1);
  const std::string path = request.path;
  int answers = 0;
  router.Handle(std::move(request), [&](coord::HttpResponse response) {
    ++answers;
    coord::Must(response.status < 300 || response.status == 404 ||
                response.status == 405);
    coord::Must(coord::IsValidUtf8(response.body));
    // A literal segment wins over any.
    coord::Must(path != "/mIT/v1/itResources" || response.status != 201);
  });
  coord::Must(answers == 1);
  return 0;
}
