// A copy of the store on its way to whoever asked for it.
#ifndef SERVER_RPC_BACKUP_STREAM_H_
#define SERVER_RPC_BACKUP_STREAM_H_

#include <grpcpp/support/server_callback.h>

#include "mimik/cluster/v1/admin_service.pb.h"
#include "server/rpc/services.h"
#include "server/rpc/slots.h"

namespace coord {

namespace pb = mimik::cluster::v1;

// What AdminService.Backup does. `slots` bounds how many copies there are at
// one time; a caller who does not read for half a minute is cut off.
grpc::ServerWriteReactor<pb::BackupResponse>* StartBackup(
    const RpcBackend& backend, Slots& slots,
    grpc::CallbackServerContext* context);

}  // namespace coord

#endif  // SERVER_RPC_BACKUP_STREAM_H_
