// A connection to one clusterd, with one function for each of its RPCs.
#ifndef CLIENT_CPP_CLIENT_H_
#define CLIENT_CPP_CLIENT_H_

#include <grpcpp/channel.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "mimik/cluster/v1/admin_service.grpc.pb.h"
#include "mimik/cluster/v1/fan_out_service.grpc.pb.h"
#include "mimik/cluster/v1/node_service.grpc.pb.h"
#include "mimik/cluster/v1/registry_service.grpc.pb.h"

namespace coord {

namespace pb = ::mimik::cluster::v1;

struct ClientOptions {
  // `HOST[:PORT]`, port 7700 if not given, or `unix:PATH`; see address.h.
  std::string address = "127.0.0.1:7700";
  // PEM file with the authorities that may have signed clusterd's certificate.
  // Empty: the connection is not encrypted.
  std::string tls_ca_file;
  // Deadline of every call that names none.
  absl::Duration timeout = absl::Seconds(10);
};

struct CallOptions {
  absl::Duration timeout = absl::ZeroDuration();  // zero: the client's
  // Sent as x-correlation-id; empty: clusterd makes one.
  std::string correlation_id;
};

// Thread-safe. Every call blocks until it is answered or its deadline has
// passed. Errors are clusterd's own, with reason, metadata and field violations
// (common/error.h, DetailOf); UNAVAILABLE without a reason: clusterd was not
// reached; DEADLINE_EXCEEDED: it did not answer in time.
class Client {
 public:
  // Does not wait for the connection, which is made by the first call and
  // again, with backoff up to 2 s, whenever it is lost. An attempt that is not
  // answered is given up after 2 s, and one that comes later looks up the name
  // anew; a connection that gives no sign of life for 15 s while a call waits
  // is lost. Ignores proxies named in the environment. Errors:
  // INVALID_ARGUMENT (the address), NOT_FOUND (the CA file cannot be read).
  static absl::StatusOr<Client> Connect(const ClientOptions& options);

  explicit Client(std::shared_ptr<grpc::Channel> channel,
                  absl::Duration timeout = absl::Seconds(10));

  // RegistryService; see registry_service.proto.
  absl::StatusOr<pb::RegisterServerResponse> RegisterServer(
      const pb::RegisterServerRequest& request,
      const CallOptions& options = {}) const;
  absl::StatusOr<pb::DrainServerResponse> DrainServer(
      const pb::DrainServerRequest& request,
      const CallOptions& options = {}) const;
  absl::StatusOr<pb::UndrainServerResponse> UndrainServer(
      const pb::UndrainServerRequest& request,
      const CallOptions& options = {}) const;
  absl::StatusOr<pb::UnregisterServerResponse> UnregisterServer(
      const pb::UnregisterServerRequest& request,
      const CallOptions& options = {}) const;
  absl::StatusOr<pb::EvictServerResponse> EvictServer(
      const pb::EvictServerRequest& request,
      const CallOptions& options = {}) const;
  absl::StatusOr<pb::GetRegistrationResponse> GetRegistration(
      const pb::GetRegistrationRequest& request,
      const CallOptions& options = {}) const;
  absl::StatusOr<pb::ListRegistrationsResponse> ListRegistrations(
      const pb::ListRegistrationsRequest& request,
      const CallOptions& options = {}) const;
  absl::StatusOr<pb::GetClusterResponse> GetCluster(
      const pb::GetClusterRequest& request,
      const CallOptions& options = {}) const;
  absl::StatusOr<pb::ListClustersResponse> ListClusters(
      const pb::ListClustersRequest& request,
      const CallOptions& options = {}) const;
  absl::StatusOr<pb::ListServersResponse> ListServers(
      const pb::ListServersRequest& request,
      const CallOptions& options = {}) const;

  // Keeps each session alive once; one response for each, in order. What
  // became of a session is in its response. To stay alive use Session
  // (session.h), to follow a cluster ClusterWatch (cluster_watch.h).
  absl::StatusOr<std::vector<pb::KeepAliveResponse>> KeepAlive(
      const std::vector<std::string>& session_ids,
      const CallOptions& options = {}) const;

  // FanOutService; see fan_out_service.proto.
  absl::StatusOr<pb::FanOutResponse> FanOut(
      const pb::FanOutRequest& request, const CallOptions& options = {}) const;
  // Calls `on_event` with each outcome as it arrives, the summary last. An
  // error after some outcomes does not take them back.
  absl::Status StreamFanOut(
      const pb::FanOutRequest& request,
      absl::FunctionRef<void(const pb::StreamFanOutResponse&)> on_event,
      const CallOptions& options = {}) const;

  // NodeService; see node_service.proto.
  absl::StatusOr<pb::CreateItResourceResponse> CreateItResource(
      const pb::CreateItResourceRequest& request,
      const CallOptions& options = {}) const;
  absl::StatusOr<pb::DeleteServerResponse> DeleteServer(
      const pb::DeleteServerRequest& request,
      const CallOptions& options = {}) const;

  // AdminService; see admin_service.proto. Calls `on_piece` with each piece of
  // the store's copy in order; what it returns ends the call where it is not
  // OK. Errors also: DATA_LOSS when the copy ended before it was whole.
  absl::Status Backup(
      absl::FunctionRef<absl::Status(const pb::BackupResponse&)> on_piece,
      const CallOptions& options = {}) const;

  // The standard health service. Empty: clusterd as a whole.
  absl::StatusOr<grpc::health::v1::HealthCheckResponse> CheckHealth(
      const std::string& service, const CallOptions& options = {}) const;

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

 private:
  std::shared_ptr<grpc::Channel> channel_;
  absl::Duration timeout_;
  std::unique_ptr<pb::RegistryService::Stub> registry_;
  std::unique_ptr<pb::FanOutService::Stub> fan_out_;
  std::unique_ptr<pb::NodeService::Stub> node_;
  std::unique_ptr<pb::AdminService::Stub> admin_;
  std::unique_ptr<grpc::health::v1::Health::Stub> health_;
};

}  // namespace coord

#endif  // CLIENT_CPP_CLIENT_H_
