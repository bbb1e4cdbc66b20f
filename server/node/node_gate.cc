#include "server/node/node_gate.h"

#include <utility>

#include "common/text_view.h"
#include "server/http/correlated_reply.h"

namespace coord {

NodeRequest NodeRequestOf(const HttpServerRequest& request,
                          const PathParameters& parameters) {
  return {parameters[0], parameters[1],
          std::string(FindHeader(request.headers, "authorization")),
          std::string(FindHeader(request.headers, "x-correlation-id"))};
}

void NodeGate::Admit(NodeRequest request, Reply reply,
                     Admitted admitted) const {
  std::string correlation_id =
      Correlate(request.correlation_id, loop_.WallTime(), reply);
  if (verifier_ != nullptr) {
    const absl::Status status =
        verifier_->Verify(request.type, request.authorization);
    if (!status.ok()) {
      loop_.Post([reply = std::move(reply), status]() mutable {
        std::move(reply)(JsonError(status));
      });
      return;
    }
  }
  registrar_.Get(
      {request.type, "", request.server_id, ""},
      PostedTo(
          loop_, [reply = std::move(reply), admitted = std::move(admitted),
                  correlation_id = std::move(correlation_id)](
                     absl::StatusOr<RegistrationView> registration) mutable {
            if (registration.ok()) {
              std::move(admitted)(*registration, correlation_id,
                                  std::move(reply));
            } else {
              std::move(reply)(
                  JsonError(404, StdView(registration.status().message())));
            }
          }));
}

}  // namespace coord
