#include "mimik/cluster/v1/admin_service.grpc.pb.h"
#include "server/rpc/backup_stream.h"
#include "server/rpc/services.h"

namespace coord {
namespace {

class AdminServiceImpl final : public pb::AdminService::CallbackService {
 public:
  explicit AdminServiceImpl(RpcBackend backend) : backend_(backend) {}

  grpc::ServerWriteReactor<pb::BackupResponse>* Backup(
      grpc::CallbackServerContext* context,
      const pb::BackupRequest* /*request*/) override {
    return StartBackup(backend_, backups_, context);
  }

 private:
  const RpcBackend backend_;
  Slots backups_{1};
};

}  // namespace

std::unique_ptr<grpc::Service> NewAdminService(RpcBackend backend) {
  return std::make_unique<AdminServiceImpl>(backend);
}

}  // namespace coord
