// RegistryService.KeepAlive.
#ifndef SERVER_RPC_KEEP_ALIVE_STREAM_H_
#define SERVER_RPC_KEEP_ALIVE_STREAM_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include "mimik/cluster/v1/registry_service.pb.h"
#include "server/rpc/services.h"
#include "server/rpc/slots.h"

namespace coord {

// Answers items one by one and in order: the next is read once the last was
// answered, so a stream never holds more than one. `slots` bounds how many
// streams there are. The reactor owns itself.
grpc::ServerBidiReactor<mimik::cluster::v1::KeepAliveRequest,
                        mimik::cluster::v1::KeepAliveResponse>*
StartKeepAlive(const RpcBackend& backend, Slots& slots,
               grpc::CallbackServerContext* context);

}  // namespace coord

#endif  // SERVER_RPC_KEEP_ALIVE_STREAM_H_
