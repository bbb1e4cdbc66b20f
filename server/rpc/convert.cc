#include "server/rpc/convert.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "common/text_view.h"
#include "common/utf8.h"
#include "server/rpc/json_value.h"

namespace coord {
namespace {

constexpr std::int64_t kMaxDurationSeconds = 315'576'000'000;
constexpr std::int32_t kNanosPerSecond = 1'000'000'000;

pb::ServerState ProtoOf(ServerState state) {
  switch (state) {
    case ServerState::kActive:
      return pb::SERVER_STATE_ACTIVE;
    case ServerState::kSuspected:
      return pb::SERVER_STATE_SUSPECTED;
    case ServerState::kDraining:
      return pb::SERVER_STATE_DRAINING;
  }
  return pb::SERVER_STATE_UNSPECIFIED;
}

// Leaves the field unset for a time that it can't hold, such as none at all.
template <typename Message>
void SetTime(absl::Time time, Message* message,
             google::protobuf::Timestamp* (Message::*mutable_field)()) {
  google::protobuf::Timestamp converted;
  if (ToProto(time, &converted)) *(message->*mutable_field)() = converted;
}

// What a Duration message may hold, sign by sign.
bool IsWellFormed(const google::protobuf::Duration& duration) {
  const std::int64_t seconds = duration.seconds();
  const std::int32_t nanos = duration.nanos();
  if (seconds < -kMaxDurationSeconds || seconds > kMaxDurationSeconds) {
    return false;
  }
  if (nanos <= -kNanosPerSecond || nanos >= kNanosPerSecond) return false;
  return !(seconds > 0 && nanos < 0) && !(seconds < 0 && nanos > 0);
}

Server ServerFromProto(const pb::Server& proto, Violations* violations) {
  Server server;
  server.type = proto.type();
  server.server_id = proto.server_id();
  server.cluster_base_url = proto.cluster_base_url();
  server.public_base_url = proto.public_base_url();
  server.node_api = NodeApiIf(proto.node_api());
  if (proto.has_location()) {
    auto location = JsonFromValue(proto.location());
    if (location.ok()) {
      server.location_json = *std::move(location);
    } else {
      violations->push_back(
          {"server.location", std::string(location.status().message())});
    }
  }
  return server;
}

}  // namespace

std::string Utf8(std::string text) {
  return IsValidUtf8(text) ? std::move(text) : EscapeInvalidUtf8(text);
}

void ToProto(absl::Duration duration, google::protobuf::Duration* out) {
  constexpr absl::Duration kMax = absl::Seconds(kMaxDurationSeconds);
  absl::Duration rest = std::clamp(duration, -kMax, kMax);
  out->set_seconds(absl::IDivDuration(rest, absl::Seconds(1), &rest));
  out->set_nanos(static_cast<std::int32_t>(absl::ToInt64Nanoseconds(rest)));
}

bool ToProto(absl::Time time, google::protobuf::Timestamp* out) {
  static const absl::Time kFirst =
      absl::FromCivil(absl::CivilSecond(1, 1, 1), absl::UTCTimeZone());
  static const absl::Time kEnd =
      absl::FromCivil(absl::CivilSecond(10'000, 1, 1), absl::UTCTimeZone());
  if (time < kFirst || time >= kEnd) return false;
  const std::int64_t seconds = absl::ToUnixSeconds(time);
  out->set_seconds(seconds);
  out->set_nanos(static_cast<std::int32_t>(
      absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
  return true;
}

void ToProto(const Server& server, pb::Server* out) {
  out->set_type(Utf8(server.type));
  out->set_server_id(Utf8(server.server_id));
  out->set_cluster_base_url(Utf8(server.cluster_base_url));
  out->set_public_base_url(Utf8(server.public_base_url));
  ValueFromJson(server.location_json, out->mutable_location());
  out->set_node_api(server.node_api == NodeApi::kYes);
  out->set_state(ProtoOf(server.state));
  SetTime(server.create_time, out, &pb::Server::mutable_create_time);
  SetTime(server.update_time, out, &pb::Server::mutable_update_time);
  out->set_etag(Utf8(server.version.text));
}

void ToProto(const ClusterSnapshot& cluster, pb::Cluster* out) {
  out->set_id(Utf8(cluster.identity.id));
  out->set_type(Utf8(cluster.identity.type));
  out->set_public_base_url(Utf8(cluster.identity.public_base_url));
  out->set_server_count(static_cast<int>(cluster.servers.size()));
  out->set_revision(cluster.revision);
  SetTime(cluster.update_time, out, &pb::Cluster::mutable_update_time);
}

void ToProto(const RegistrationView& registration,
             const std::string& self_doubt, pb::Registration* out) {
  ToProto(registration.server, out->mutable_server());
  out->set_local_base_url(Utf8(registration.local_base_url));
  out->set_session_id(registration.session_id);
  out->set_state(ToProto(registration.state));
  out->set_message(Utf8(registration.message));
  out->set_cluster_id(Utf8(registration.cluster_id));
  if (registration.ttl) ToProto(*registration.ttl, out->mutable_ttl());
  SetTime(registration.register_time, out,
          &pb::Registration::mutable_register_time);
  SetTime(registration.next_renewal_time, out,
          &pb::Registration::mutable_next_renewal_time);

  pb::Announcement& announcement = *out->mutable_announcement();
  announcement.set_expected(registration.announcement.expected);
  announcement.set_answered(registration.announcement.answered);
  announcement.set_failed(registration.announcement.expected -
                          registration.announcement.answered);

  pb::ClusterStatus& status = *out->mutable_status();
  status.set_registration_status(Utf8(registration.StatusText()));
  status.set_server_count(registration.server_count);
  status.set_url(out->server().cluster_base_url());
  status.set_self_preservation(!self_doubt.empty());
  status.set_self_preservation_cause(Utf8(self_doubt));
  SetTime(registration.cluster_update_time, &status,
          &pb::ClusterStatus::mutable_update_time);
  SetAge(registration.cluster_age, &status);
  if (registration.lease > absl::ZeroDuration()) {
    ToProto(registration.lease, out->mutable_lease_duration());
    *status.mutable_lease_duration() = out->lease_duration();
  }
}

void ToProto(const UnregisterAnswer& answer,
             pb::UnregisterServerResponse* out) {
  out->set_server_count(answer.server_count);
  out->set_server_id(Utf8(answer.server_id));
  for (const UnregisterAnswer::Error& error : answer.errors) {
    pb::UnregisterError* converted = out->add_errors();
    converted->set_server_id(Utf8(error.server_id));
    converted->set_message(Utf8(error.message));
  }
}

void ToProto(const EvictAnswer& answer, pb::EvictServerResponse* out) {
  ToProto(*answer.removed, out->mutable_server());
  out->set_registered_here(answer.held);
  out->set_message(Utf8(answer.Explain()));
  switch (answer.aftermath.kind) {
    case Aftermath::Kind::kUnknown:
      out->set_outcome(pb::EVICTION_OUTCOME_UNKNOWN);
      break;
    case Aftermath::Kind::kGone:
      out->set_outcome(pb::EVICTION_OUTCOME_GONE);
      break;
    case Aftermath::Kind::kAlive:
      out->set_outcome(pb::EVICTION_OUTCOME_ALIVE);
      break;
    case Aftermath::Kind::kReturned:
      out->set_outcome(pb::EVICTION_OUTCOME_RETURNED);
      ToProto(*answer.aftermath.returned, out->mutable_returned());
      break;
  }
}

pb::ChangeType ToProto(ChangeType type) {
  switch (type) {
    case ChangeType::kJoined:
      return pb::CHANGE_TYPE_JOINED;
    case ChangeType::kUpdated:
      return pb::CHANGE_TYPE_UPDATED;
    case ChangeType::kLeft:
      return pb::CHANGE_TYPE_LEFT;
    case ChangeType::kEvicted:
      return pb::CHANGE_TYPE_EVICTED;
  }
  return pb::CHANGE_TYPE_UNSPECIFIED;
}

pb::RegistrationState ToProto(RegistrationState state) {
  switch (state) {
    case RegistrationState::kPending:
      return pb::REGISTRATION_STATE_PENDING;
    case RegistrationState::kRegistered:
      return pb::REGISTRATION_STATE_REGISTERED;
    case RegistrationState::kOrphan:
      return pb::REGISTRATION_STATE_ORPHAN;
    case RegistrationState::kUnregistering:
      return pb::REGISTRATION_STATE_UNREGISTERING;
  }
  return pb::REGISTRATION_STATE_UNSPECIFIED;
}

std::optional<absl::Duration> DurationField(
    std::string_view field, const google::protobuf::Duration& duration,
    Violations* violations) {
  if (!IsWellFormed(duration)) {
    violations->push_back({std::string(field), "is not a valid duration"});
    return std::nullopt;
  }
  return absl::Seconds(duration.seconds()) +
         absl::Nanoseconds(duration.nanos());
}

absl::Status CheckClusterName(const std::string& type,
                              const std::string& cluster_id) {
  if (type.empty() && !cluster_id.empty()) return absl::OkStatus();
  if (IsValidServerType(type)) return absl::OkStatus();
  return InvalidField("type", kServerTypeRule);
}

absl::Status CheckServerName(const std::string& type,
                             const std::string& cluster_id,
                             const std::string& server_id) {
  absl::Status named = CheckClusterName(type, cluster_id);
  if (!named.ok() || IsValidServerId(server_id)) return named;
  return InvalidField("server_id", kServerIdRule);
}

absl::Status CheckSessionId(const std::string& session_id) {
  if (session_id.size() <= kMaxSessionIdBytes) return absl::OkStatus();
  return InvalidField("session_id", absl::StrCat("must be at most ",
                                                 kMaxSessionIdBytes, " bytes"));
}

absl::StatusOr<RegisterCommand> FromProto(
    const pb::RegisterServerRequest& request) {
  Violations violations;
  RegisterCommand command;
  command.server = ServerFromProto(request.server(), &violations);
  command.local_base_url = request.local_base_url();
  command.session_id = request.session_id();
  if (request.has_ttl()) {
    command.ttl = DurationField("ttl", request.ttl(), &violations);
  }
  absl::Status valid = InvalidFields(violations);
  if (valid.ok()) valid = CheckSessionId(command.session_id);
  if (!valid.ok()) return valid;
  return command;
}

}  // namespace coord
