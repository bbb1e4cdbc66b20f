#include "server/grpc_listener.h"

#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "grpc/health/v1/health.pb.h"
#include "mimik/cluster/v1/admin_service.grpc.pb.h"
#include "mimik/cluster/v1/fan_out_service.grpc.pb.h"
#include "mimik/cluster/v1/node_service.grpc.pb.h"
#include "mimik/cluster/v1/registry_service.grpc.pb.h"
#include "server/host_port.h"
#include "spdlog/spdlog.h"

namespace coord {
namespace {

// One answer may be as large as the largest aggregate that a call can ask for.
constexpr int kMaxSendBytes = -1;
// Finds half-open connections, so that a watcher that is gone is noticed.
constexpr absl::Duration kKeepaliveTime = absl::Seconds(30);
constexpr absl::Duration kKeepaliveTimeout = absl::Seconds(10);
// Clients may ping this often, so that long watches survive middle boxes.
constexpr absl::Duration kMinPingInterval = absl::Seconds(5);

constexpr std::array<const char*, 4> kServiceNames = {
    mimik::cluster::v1::RegistryService::service_full_name(),
    mimik::cluster::v1::FanOutService::service_full_name(),
    mimik::cluster::v1::NodeService::service_full_name(),
    mimik::cluster::v1::AdminService::service_full_name()};

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Milliseconds(duration));
}

// gRPC speaks of its own affairs; what concerns users is said by us.
void LogFromGrpc(gpr_log_func_args* args) {
  spdlog::debug("grpc: {}", args->message);
}

std::string ErrnoText() {
  std::string text = std::strerror(errno);
  text[0] = absl::ascii_tolower(text[0]);
  return text;
}

// gRPC only says that it could not listen; the system says why.
std::string WhyNot(const HostPort& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(
      address.host.c_str(), absl::StrCat(address.port).c_str(), &hints, &found);
  if (error != 0) return gai_strerror(error);
  const absl::Cleanup free_found = [found] { freeaddrinfo(found); };
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return ErrnoText();
  const absl::Cleanup close_fd = [fd] { close(fd); };
  if (bind(fd, found->ai_addr, found->ai_addrlen) == 0) return "unknown cause";
  return ErrnoText();
}

void Configure(grpc::ServerBuilder& builder,
               const GrpcListenerOptions& options) {
  // Otherwise a second server starts on the same port in silence.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS,
                             Milliseconds(kKeepaliveTime));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                             Milliseconds(kKeepaliveTimeout));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
      Milliseconds(kMinPingInterval));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                             options.max_streams);
  for (const auto algorithm : {GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP}) {
    builder.SetCompressionAlgorithmSupportStatus(algorithm,
                                                 options.compression);
  }
  builder.SetMaxReceiveMessageSize(options.max_message_bytes);
  builder.SetMaxSendMessageSize(kMaxSendBytes);
}

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcListener>> GrpcListener::Start(
    const std::string& address, const GrpcListenerOptions& options,
    std::vector<std::unique_ptr<grpc::Service>> services) {
  gpr_set_log_function(LogFromGrpc);
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  // Reflection can only describe the health service if its descriptor is
  // linked.
  google::protobuf::LinkMessageReflection<
      grpc::health::v1::HealthCheckRequest>();

  auto listener = std::unique_ptr<GrpcListener>(new GrpcListener);
  listener->services_ = std::move(services);
  grpc::ServerBuilder builder;
  Configure(builder, options);
  int port = 0;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  for (const auto& service : listener->services_) {
    builder.RegisterService(service.get());
  }
  listener->server_ = builder.BuildAndStart();
  absl::StatusOr<HostPort> host_port = ParseHostPort(address);
  if (!host_port.ok()) return host_port.status();
  if (listener->server_ == nullptr || port == 0) {
    return absl::UnavailableError(
        absl::StrCat("listen for gRPC on ", address, ": ", WhyNot(*host_port)));
  }
  listener->address_ =
      absl::StrCat(address.substr(0, address.rfind(':')), ":", port);
  listener->SetServing(true);
  return listener;
}

GrpcListener::~GrpcListener() { Stop(absl::ZeroDuration()); }

void GrpcListener::SetServing(bool serving) {
  grpc::HealthCheckServiceInterface* health = server_->GetHealthCheckService();
  health->SetServingStatus(serving);
  for (const char* name : kServiceNames) {
    health->SetServingStatus(name, serving);
  }
}

void GrpcListener::Stop(absl::Duration grace) {
  if (server_ == nullptr) return;
  server_->Shutdown(absl::ToChronoTime(absl::Now() + grace));
  server_->Wait();
  server_.reset();
}

}  // namespace coord
