// A watcher of one cluster over gRPC.
#ifndef TESTS_SUPPORT_WATCHER_H_
#define TESTS_SUPPORT_WATCHER_H_

#include <grpcpp/client_context.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "common/grpc_status.h"
#include "mimik/cluster/v1/registry_service.grpc.pb.h"

namespace coord {

// For one thread at a time; gives the watch up when it dies.
class Watcher {
 public:
  using Message = mimik::cluster::v1::WatchClusterResponse;

  Watcher(mimik::cluster::v1::RegistryService::Stub& stub,
          const std::string& type, const std::string& token = "") {
    mimik::cluster::v1::WatchClusterRequest request;
    request.set_type(type);
    request.set_resume_token(token);
    reader_ = stub.WatchCluster(&context_, request);
  }
  ~Watcher() {
    context_.TryCancel();
    SkipToEnd();
  }

  // The next message; one without event when the stream has ended.
  Message Next() {
    Message message;
    if (!reader_->Read(&message)) message.Clear();
    return message;
  }

  // The next message that is no bookmark.
  Message NextEvent() {
    for (;;) {
      Message message = Next();
      if (!message.has_bookmark()) return message;
    }
  }

  // Ends the stream from any thread.
  void Cancel() { context_.TryCancel(); }

  // Reads to the end and returns why it came.
  absl::Status End() {
    SkipToEnd();
    return FromGrpcStatus(reader_->Finish());
  }

 private:
  void SkipToEnd() {
    Message message;
    while (reader_->Read(&message)) {
    }
  }

  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<Message>> reader_;
};

}  // namespace coord

#endif  // TESTS_SUPPORT_WATCHER_H_
