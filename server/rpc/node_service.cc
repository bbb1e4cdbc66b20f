#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "mimik/cluster/v1/node_service.grpc.pb.h"
#include "server/rpc/call_context.h"
#include "server/rpc/convert.h"
#include "server/rpc/convert_fan_out.h"
#include "server/rpc/services.h"

namespace coord {
namespace {

using Context = grpc::CallbackServerContext;

constexpr std::size_t kMaxBodyBytes = 1 << 20;
constexpr std::size_t kMaxOtherBytes = 64 << 10;

template <typename Request>
NodeRequest NodeRequestFromProto(const Request& request) {
  return {request.type(), request.server_id(), request.authorization(),
          request.correlation_id()};
}

// The answer of a route is the answer of the RPC, but for the one that says
// that the server is not registered here.
template <typename Response>
auto AnswerHttp(UnaryCall call, const NodeRequest& request,
                CountedReactor* reactor, Response* response) {
  return [call = std::move(call), type = request.type, id = request.server_id,
          reactor, response](HttpResponse http) mutable {
    if (http.status == 404) {
      call.Finish(MakeError(Reason::kServerNotFound,
                            absl::StrCat("serve node API of ", type, "/", id,
                                         ": not registered here")));
      return;
    }
    call.Finish(absl::StatusOr<HttpResponse>(std::move(http)),
                [response, reactor](HttpResponse answer) {
                  response->set_http_status(answer.status);
                  ToProto(std::move(answer.headers),
                          response->mutable_headers());
                  response->set_body(std::move(answer.body));
                  reactor->Count(*response);
                });
  };
}

class NodeServiceImpl final : public pb::NodeService::CallbackService {
 public:
  NodeServiceImpl(RpcBackend backend, const RpcOptions& options)
      : backend_(backend), waiting_calls_(options.max_waiting_calls) {}

  grpc::ServerUnaryReactor* CreateItResource(
      Context* context, const pb::CreateItResourceRequest* request,
      pb::CreateItResourceResponse* response) override {
    auto* reactor = new CountedReactor(backend_.unread, *context);
    UnaryCall call(backend_.end, context, reactor);
    absl::Status valid =
        CheckServerName(request->type(), "", request->server_id());
    if (valid.ok() && request->body().size() > kMaxBodyBytes) {
      valid = InvalidField(
          "body", absl::StrCat("must be at most ", kMaxBodyBytes, " bytes"));
    }
    if (valid.ok()) {
      valid = call.TakePlace(waiting_calls_, *request,
                             kMaxBodyBytes + kMaxOtherBytes);
    }
    if (!valid.ok()) {
      call.Finish(valid);
      return reactor;
    }
    NodeRequest node_request = NodeRequestFromProto(*request);
    auto answer = AnswerHttp(std::move(call), node_request, reactor, response);
    backend_.node_routes.Join(std::move(node_request), request->body(),
                              std::move(answer));
    return reactor;
  }

  grpc::ServerUnaryReactor* DeleteServer(
      Context* context, const pb::DeleteServerRequest* request,
      pb::DeleteServerResponse* response) override {
    auto* reactor = new CountedReactor(backend_.unread, *context);
    UnaryCall call(backend_.end, context, reactor);
    absl::Status valid =
        CheckServerName(request->type(), "", request->server_id());
    if (valid.ok()) valid = call.TakePlace(waiting_calls_, *request);
    if (!valid.ok()) {
      call.Finish(valid);
      return reactor;
    }
    NodeRequest node_request = NodeRequestFromProto(*request);
    auto answer = AnswerHttp(std::move(call), node_request, reactor, response);
    backend_.node_routes.Leave(std::move(node_request),
                               request->path_cluster_id(),
                               request->path_server_id(), std::move(answer));
    return reactor;
  }

 private:
  const RpcBackend backend_;
  Slots waiting_calls_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewNodeService(RpcBackend backend,
                                              RpcOptions options) {
  return std::make_unique<NodeServiceImpl>(backend, options);
}

}  // namespace coord
