#include "server/http/correlated_reply.h"

#include <utility>

namespace coord {

HttpReply WithCorrelationId(HttpReply reply, std::string id) {
  return [reply = std::move(reply),
          id = std::move(id)](HttpResponse response) mutable {
    response.headers.push_back({"x-correlation-id", std::move(id)});
    std::move(reply)(std::move(response));
  };
}

}  // namespace coord
