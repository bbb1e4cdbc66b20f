#include "server/http/correlated_reply.h"

#include <utility>

#include "absl/random/random.h"
#include "common/correlation_id.h"
#include "common/ids.h"

namespace coord {

std::string Correlate(std::string_view received, absl::Time now,
                      HttpReply& reply) {
  absl::InsecureBitGen random;
  std::string id = NextCorrelationId(received, RandomUuid(random), now);
  reply = [reply = std::move(reply), id](HttpResponse response) mutable {
    response.headers.push_back({"x-correlation-id", std::move(id)});
    std::move(reply)(std::move(response));
  };
  return id;
}

}  // namespace coord
