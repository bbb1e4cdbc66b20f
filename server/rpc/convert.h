// Protobuf and our structs, both ways: what all services share. Text that goes
// out is made valid UTF-8; fields that come in are checked, and all that is
// wrong is told at once.
#ifndef SERVER_RPC_CONVERT_H_
#define SERVER_RPC_CONVERT_H_

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "mimik/cluster/v1/registry_service.pb.h"
#include "mimik/cluster/v1/resources.pb.h"
#include "server/core/server.h"
#include "server/node/evictor.h"
#include "server/node/registrar.h"

namespace coord {

namespace pb = mimik::cluster::v1;

// --- to the wire -------------------------------------------------------------

// `text` with what is not valid UTF-8 escaped.
std::string Utf8(std::string text);

// Cut to what a Duration may hold (± 10,000 years).
void ToProto(absl::Duration duration, google::protobuf::Duration* out);
// False, and `out` is left alone, for a time that a Timestamp can't hold.
bool ToProto(absl::Time time, google::protobuf::Timestamp* out);

// Left unset where nothing is known, which is infinitely old.
template <typename Message>
void SetAge(absl::Duration age, Message* out) {
  if (age == absl::InfiniteDuration()) return;
  ToProto(age, out->mutable_membership_age());
}

void ToProto(const Server& server, pb::Server* out);
// All but its age, which depends on when it is told.
void ToProto(const ClusterSnapshot& cluster, pb::Cluster* out);
// `self_doubt` is why this process suspects itself, empty when it doesn't.
void ToProto(const RegistrationView& registration,
             const std::string& self_doubt, pb::Registration* out);
void ToProto(const UnregisterAnswer& answer, pb::UnregisterServerResponse* out);
void ToProto(const EvictAnswer& answer, pb::EvictServerResponse* out);
pb::ChangeType ToProto(ChangeType type);
pb::RegistrationState ToProto(RegistrationState state);

// --- from the wire -----------------------------------------------------------

using Violations = std::vector<FieldViolation>;

// What is no duration (nanos out of range or of another sign than the seconds,
// more than 10,000 years) is nullopt and a violation. Ranges are for those to
// judge who use it.
std::optional<absl::Duration> DurationField(
    std::string_view field, const google::protobuf::Duration& duration,
    Violations* violations);

// Which cluster: by a type, an id, or both. Errors: INVALID_ARGUMENT.
absl::Status CheckClusterName(const std::string& type,
                              const std::string& cluster_id);
// The same, and a server in it.
absl::Status CheckServerName(const std::string& type,
                             const std::string& cluster_id,
                             const std::string& server_id);

// What every session id is shorter than; an empty one names none.
inline constexpr std::size_t kMaxSessionIdBytes = 128;
absl::Status CheckSessionId(const std::string& session_id);

// All but `wait`, which depends on the deadline of the call. What the fields
// mean, and so most of what may be wrong with them, is the registrar's to
// judge.
absl::StatusOr<RegisterCommand> FromProto(
    const pb::RegisterServerRequest& request);

// Any request that names a registration.
template <typename Request>
absl::StatusOr<RegistrationRef> RefFromProto(const Request& request) {
  absl::Status named = CheckServerName(request.type(), request.cluster_id(),
                                       request.server_id());
  if (!named.ok()) return named;
  RegistrationRef ref{
      request.type(), request.cluster_id(), request.server_id(), {}};
  if constexpr (requires { request.session_id(); }) {
    absl::Status session = CheckSessionId(request.session_id());
    if (!session.ok()) return session;
    ref.session_id = request.session_id();
  }
  return ref;
}

}  // namespace coord

#endif  // SERVER_RPC_CONVERT_H_
