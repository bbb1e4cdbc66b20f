#include "client/cpp/client.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <cstdint>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cpp/address.h"
#include "common/grpc_status.h"

namespace coord {
namespace {

// A connection attempt that is not answered is given up after this long: the
// packets may go to an address where nobody is any more, and another attempt
// may find where clusterd is now. gRPC's own value is 20 s.
constexpr int kConnectTimeoutMs = 2000;
constexpr int kFirstReconnectWaitMs = 200;
// gRPC adds up to a fifth, and gives no attempt up before the wait is over.
constexpr int kLongestReconnectWaitMs = 1600;
// How soon a name may be looked up again; gRPC's own value is 30 s.
constexpr int kResolutionPauseMs = 1000;
// A connection that is silent for so long while somebody waits is asked for a
// sign of life, and given up if none comes. clusterd allows a question every
// 5 s.
constexpr int kKeepaliveTimeMs = 10'000;
constexpr int kKeepaliveTimeoutMs = 5000;

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  if (!file || !(content << file.rdbuf())) {
    return absl::NotFoundError(absl::StrCat("read ", path, ": cannot be read"));
  }
  return std::move(content).str();
}

void SetUp(grpc::ClientContext& context, const CallOptions& options,
           absl::Duration default_timeout) {
  const absl::Duration timeout = options.timeout > absl::ZeroDuration()
                                     ? options.timeout
                                     : default_timeout;
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  if (!options.correlation_id.empty()) {
    context.AddMetadata("x-correlation-id", options.correlation_id);
  }
}

template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> Call(const std::unique_ptr<Stub>& stub,
                              grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                           const Request&,
                                                           Response*),
                              const Request& request,
                              const CallOptions& options,
                              absl::Duration default_timeout) {
  grpc::ClientContext context;
  SetUp(context, options, default_timeout);
  Response response;
  const grpc::Status status = ((*stub).*method)(&context, request, &response);
  if (!status.ok()) return FromGrpcStatus(status);
  return response;
}

grpc::ChannelArguments ConnectionSettings() {
  grpc::ChannelArguments arguments;
  // Answers are bounded by what the request asks for: a page size, or
  // max_answer_bytes.
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS,
                   kFirstReconnectWaitMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kLongestReconnectWaitMs);
  arguments.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS,
                   kResolutionPauseMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  // Otherwise only two questions are asked between two messages.
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return arguments;
}

}  // namespace

absl::StatusOr<Client> Client::Connect(const ClientOptions& options) {
  const absl::StatusOr<std::string> target = GrpcTarget(options.address);
  if (!target.ok()) return target.status();
  std::shared_ptr<grpc::ChannelCredentials> credentials =
      grpc::InsecureChannelCredentials();
  if (!options.tls_ca_file.empty()) {
    absl::StatusOr<std::string> ca = ReadFile(options.tls_ca_file);
    if (!ca.ok()) return ca.status();
    grpc::SslCredentialsOptions ssl;
    ssl.pem_root_certs = *std::move(ca);
    credentials = grpc::SslCredentials(ssl);
  }
  return Client(
      grpc::CreateCustomChannel(*target, credentials, ConnectionSettings()),
      options.timeout);
}

Client::Client(std::shared_ptr<grpc::Channel> channel, absl::Duration timeout)
    : channel_(std::move(channel)),
      timeout_(timeout),
      registry_(pb::RegistryService::NewStub(channel_)),
      fan_out_(pb::FanOutService::NewStub(channel_)),
      node_(pb::NodeService::NewStub(channel_)),
      admin_(pb::AdminService::NewStub(channel_)),
      health_(grpc::health::v1::Health::NewStub(channel_)) {}

absl::StatusOr<pb::RegisterServerResponse> Client::RegisterServer(
    const pb::RegisterServerRequest& request,
    const CallOptions& options) const {
  return Call(registry_, &pb::RegistryService::Stub::RegisterServer, request,
              options, timeout_);
}

absl::StatusOr<pb::DrainServerResponse> Client::DrainServer(
    const pb::DrainServerRequest& request, const CallOptions& options) const {
  return Call(registry_, &pb::RegistryService::Stub::DrainServer, request,
              options, timeout_);
}

absl::StatusOr<pb::UndrainServerResponse> Client::UndrainServer(
    const pb::UndrainServerRequest& request, const CallOptions& options) const {
  return Call(registry_, &pb::RegistryService::Stub::UndrainServer, request,
              options, timeout_);
}

absl::StatusOr<pb::UnregisterServerResponse> Client::UnregisterServer(
    const pb::UnregisterServerRequest& request,
    const CallOptions& options) const {
  return Call(registry_, &pb::RegistryService::Stub::UnregisterServer, request,
              options, timeout_);
}

absl::StatusOr<pb::EvictServerResponse> Client::EvictServer(
    const pb::EvictServerRequest& request, const CallOptions& options) const {
  return Call(registry_, &pb::RegistryService::Stub::EvictServer, request,
              options, timeout_);
}

absl::StatusOr<pb::GetRegistrationResponse> Client::GetRegistration(
    const pb::GetRegistrationRequest& request,
    const CallOptions& options) const {
  return Call(registry_, &pb::RegistryService::Stub::GetRegistration, request,
              options, timeout_);
}

absl::StatusOr<pb::ListRegistrationsResponse> Client::ListRegistrations(
    const pb::ListRegistrationsRequest& request,
    const CallOptions& options) const {
  return Call(registry_, &pb::RegistryService::Stub::ListRegistrations, request,
              options, timeout_);
}

absl::StatusOr<pb::GetClusterResponse> Client::GetCluster(
    const pb::GetClusterRequest& request, const CallOptions& options) const {
  return Call(registry_, &pb::RegistryService::Stub::GetCluster, request,
              options, timeout_);
}

absl::StatusOr<pb::ListClustersResponse> Client::ListClusters(
    const pb::ListClustersRequest& request, const CallOptions& options) const {
  return Call(registry_, &pb::RegistryService::Stub::ListClusters, request,
              options, timeout_);
}

absl::StatusOr<pb::ListServersResponse> Client::ListServers(
    const pb::ListServersRequest& request, const CallOptions& options) const {
  return Call(registry_, &pb::RegistryService::Stub::ListServers, request,
              options, timeout_);
}

absl::StatusOr<std::vector<pb::KeepAliveResponse>> Client::KeepAlive(
    const std::vector<std::string>& session_ids,
    const CallOptions& options) const {
  grpc::ClientContext context;
  SetUp(context, options, timeout_);
  const auto stream = registry_->KeepAlive(&context);
  std::vector<pb::KeepAliveResponse> responses;
  for (const std::string& session_id : session_ids) {
    pb::KeepAliveRequest request;
    request.set_session_id(session_id);
    pb::KeepAliveResponse response;
    if (!stream->Write(request) || !stream->Read(&response)) break;
    responses.push_back(std::move(response));
  }
  stream->WritesDone();
  const grpc::Status status = stream->Finish();
  if (!status.ok()) return FromGrpcStatus(status);
  if (responses.size() < session_ids.size()) {
    return absl::UnavailableError("keep alive: stream ended before the answer");
  }
  return responses;
}

absl::StatusOr<pb::FanOutResponse> Client::FanOut(
    const pb::FanOutRequest& request, const CallOptions& options) const {
  return Call(fan_out_, &pb::FanOutService::Stub::FanOut, request, options,
              timeout_);
}

absl::Status Client::StreamFanOut(
    const pb::FanOutRequest& request,
    absl::FunctionRef<void(const pb::StreamFanOutResponse&)> on_event,
    const CallOptions& options) const {
  grpc::ClientContext context;
  SetUp(context, options, timeout_);
  pb::StreamFanOutRequest stream_request;
  *stream_request.mutable_request() = request;
  const auto stream = fan_out_->StreamFanOut(&context, stream_request);
  pb::StreamFanOutResponse event;
  while (stream->Read(&event)) on_event(event);
  return FromGrpcStatus(stream->Finish());
}

absl::StatusOr<pb::CreateItResourceResponse> Client::CreateItResource(
    const pb::CreateItResourceRequest& request,
    const CallOptions& options) const {
  return Call(node_, &pb::NodeService::Stub::CreateItResource, request, options,
              timeout_);
}

absl::StatusOr<pb::DeleteServerResponse> Client::DeleteServer(
    const pb::DeleteServerRequest& request, const CallOptions& options) const {
  return Call(node_, &pb::NodeService::Stub::DeleteServer, request, options,
              timeout_);
}

absl::Status Client::Backup(
    absl::FunctionRef<absl::Status(const pb::BackupResponse&)> on_piece,
    const CallOptions& options) const {
  grpc::ClientContext context;
  SetUp(context, options, timeout_);
  const auto stream = admin_->Backup(&context, pb::BackupRequest());
  pb::BackupResponse piece;
  std::int64_t missing = 0;
  std::int64_t taken = 0;
  while (stream->Read(&piece)) {
    if (absl::Status status = on_piece(piece); !status.ok()) {
      context.TryCancel();
      stream->Finish();
      return status;
    }
    taken += static_cast<std::int64_t>(piece.data().size());
    missing = piece.size() - taken;
  }
  const absl::Status end = FromGrpcStatus(stream->Finish());
  if (!end.ok() || (missing == 0 && taken > 0)) return end;
  return absl::DataLossError(
      absl::StrCat("back up the store: ", missing, " bytes did not come"));
}

absl::StatusOr<grpc::health::v1::HealthCheckResponse> Client::CheckHealth(
    const std::string& service, const CallOptions& options) const {
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  return Call(health_, &grpc::health::v1::Health::Stub::Check, request, options,
              timeout_);
}

}  // namespace coord
