#include "server/http/correlated_reply.h"

#include <utility>

#include "absl/random/random.h"
#include "common/correlation_id.h"
#include "common/ids.h"

namespace coord {

HttpReply Correlated(std::string_view received, absl::Time now,
                     HttpReply reply) {
  absl::InsecureBitGen random;
  return [reply = std::move(reply),
          id = NextCorrelationId(received, RandomUuid(random), now)](
             HttpResponse response) mutable {
    response.headers.push_back({"x-correlation-id", std::move(id)});
    std::move(reply)(std::move(response));
  };
}

}  // namespace coord
