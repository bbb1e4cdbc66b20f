// RegistryService.WatchCluster.
#ifndef SERVER_RPC_WATCH_STREAM_H_
#define SERVER_RPC_WATCH_STREAM_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include "mimik/cluster/v1/registry_service.pb.h"
#include "server/rpc/services.h"

namespace coord {

// Writes what core's Watch has to tell, one message in flight; the watch is
// asked for more once a message has left or when it wakes the stream. The
// reactor owns itself.
grpc::ServerWriteReactor<mimik::cluster::v1::WatchClusterResponse>* StartWatch(
    const RpcBackend& backend, const RpcOptions& options,
    grpc::CallbackServerContext* context,
    const mimik::cluster::v1::WatchClusterRequest& request);

}  // namespace coord

#endif  // SERVER_RPC_WATCH_STREAM_H_
