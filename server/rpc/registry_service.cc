#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "common/error.h"
#include "mimik/cluster/v1/registry_service.grpc.pb.h"
#include "server/rpc/call_context.h"
#include "server/rpc/convert.h"
#include "server/rpc/keep_alive_stream.h"
#include "server/rpc/paging.h"
#include "server/rpc/registration_page.h"
#include "server/rpc/services.h"
#include "server/rpc/watch_stream.h"

namespace coord {
namespace {

using Context = grpc::CallbackServerContext;
using UnaryReactor = grpc::ServerUnaryReactor;

// Of a call that waits and has no deadline.
constexpr absl::Duration kDefaultWait = absl::Seconds(50);

constexpr std::string_view kClusters = "clusters";
constexpr std::string_view kServers = "servers";

void FillClusters(const PageRequest& page, const Membership& membership,
                  ListAges& ages, pb::ListClustersResponse* response) {
  const std::vector<std::string> after = NamesIn(page.after, 2);
  // One more tells whether there is another page.
  const auto clusters = membership.List(
      after[0], after[1], static_cast<std::size_t>(page.size) + 1);
  response->set_next_page_token(FillPage(
      kClusters, page, clusters.begin(), clusters.end(),
      [](const SnapshotPtr& cluster) {
        return ListKey({cluster->identity.type, cluster->identity.id});
      },
      [&](const SnapshotPtr& cluster) {
        pb::Cluster* added = response->add_clusters();
        ToProto(*cluster, added);
        SetAge(ages.Judge(*cluster).age, added);
        return added->ByteSizeLong();
      }));
}

void FillServers(const PageRequest& page, const ClusterSnapshot& cluster,
                 ListAges& ages, pb::ListServersResponse* response) {
  const ServerList& servers = cluster.servers;
  response->set_next_page_token(FillPage(
      kServers, page, servers.After(page.after), servers.end(),
      [](const ServerPtr& server) { return server->server_id; },
      [&](const ServerPtr& server) {
        pb::Server* added = response->add_servers();
        ToProto(*server, added);
        return added->ByteSizeLong();
      }));
  response->set_revision(cluster.revision);
  SetAge(ages.Judge(cluster).age, response);
}

// Answers a call with one registration.
template <typename Response>
auto AnswerRegistration(const SelfDoubt& self_doubt, UnaryCall call,
                        Response* response) {
  return [&self_doubt, call = std::move(call),
          response](absl::StatusOr<RegistrationView> view) mutable {
    call.Finish(std::move(view), [&](const RegistrationView& registration) {
      ToProto(registration, self_doubt.Cause(),
              response->mutable_registration());
    });
  };
}

class RegistryServiceImpl final : public pb::RegistryService::CallbackService {
 public:
  RegistryServiceImpl(RpcBackend backend, RpcOptions options)
      : backend_(backend),
        options_(options),
        waiting_calls_(options.max_waiting_calls),
        keep_alive_streams_(options.max_keep_alive_streams) {}

  UnaryReactor* RegisterServer(Context* context,
                               const pb::RegisterServerRequest* request,
                               pb::RegisterServerResponse* response) override {
    UnaryCall call(backend_.end, context);
    UnaryReactor* reactor = call.reactor();
    const absl::Status placed = call.TakePlace(waiting_calls_, *request);
    if (!placed.ok()) return Answer(std::move(call), placed);
    auto command = FromProto(*request);
    if (!command.ok()) return Answer(std::move(call), command.status());
    command->correlation_id = call.correlation_id();
    if (request->wait()) {
      command->wait = Wait(*context);
    }
    backend_.registrar.Register(
        *std::move(command),
        AnswerRegistration(backend_.self_doubt, std::move(call), response));
    return reactor;
  }

  grpc::ServerBidiReactor<pb::KeepAliveRequest, pb::KeepAliveResponse>*
  KeepAlive(Context* context) override {
    return StartKeepAlive(backend_, keep_alive_streams_, context);
  }

  UnaryReactor* DrainServer(Context* context,
                            const pb::DrainServerRequest* request,
                            pb::DrainServerResponse* response) override {
    return SetDraining(context, *request, true, response);
  }

  UnaryReactor* UndrainServer(Context* context,
                              const pb::UndrainServerRequest* request,
                              pb::UndrainServerResponse* response) override {
    return SetDraining(context, *request, false, response);
  }

  UnaryReactor* UnregisterServer(
      Context* context, const pb::UnregisterServerRequest* request,
      pb::UnregisterServerResponse* response) override {
    UnaryCall call(backend_.end, context);
    UnaryReactor* reactor = call.reactor();
    const absl::Status placed = call.TakePlace(waiting_calls_, *request);
    if (!placed.ok()) return Answer(std::move(call), placed);
    auto ref = RefFromProto(*request);
    if (!ref.ok()) return Answer(std::move(call), ref.status());
    ref->caller = call.caller();
    backend_.registrar.Unregister(
        *std::move(ref), [call = std::move(call), response](
                             absl::StatusOr<UnregisterAnswer> answer) mutable {
          call.Finish(std::move(answer), [&](const UnregisterAnswer& done) {
            ToProto(done, response);
          });
        });
    return reactor;
  }

  UnaryReactor* EvictServer(Context* context,
                            const pb::EvictServerRequest* request,
                            pb::EvictServerResponse* response) override {
    UnaryCall call(backend_.end, context);
    UnaryReactor* reactor = call.reactor();
    const absl::Status placed = call.TakePlace(waiting_calls_, *request);
    if (!placed.ok()) return Answer(std::move(call), placed);
    auto ref = RefFromProto(*request);
    if (!ref.ok()) return Answer(std::move(call), ref.status());
    if (request->etag().empty()) {
      return Answer(std::move(call), InvalidField("etag", "must be set"));
    }
    EvictCommand command{std::move(ref->type),
                         std::move(ref->cluster_id),
                         std::move(ref->server_id),
                         RecordVersion{request->etag()},
                         Wait(*context),
                         call.caller()};
    backend_.evictor.Evict(
        std::move(command), [call = std::move(call), response](
                                absl::StatusOr<EvictAnswer> evicted) mutable {
          call.Finish(std::move(evicted), [&](const EvictAnswer& answer) {
            ToProto(answer, response);
          });
        });
    return reactor;
  }

  UnaryReactor* GetRegistration(
      Context* context, const pb::GetRegistrationRequest* request,
      pb::GetRegistrationResponse* response) override {
    UnaryCall call(backend_.end, context);
    UnaryReactor* reactor = call.reactor();
    auto ref = RefFromProto(*request);
    if (!ref.ok()) return Answer(std::move(call), ref.status());
    backend_.registrar.Get(
        *std::move(ref),
        AnswerRegistration(backend_.self_doubt, std::move(call), response));
    return reactor;
  }

  UnaryReactor* ListRegistrations(
      Context* context, const pb::ListRegistrationsRequest* request,
      pb::ListRegistrationsResponse* response) override {
    auto* reactor = new CountedReactor(backend_.unread, *context);
    UnaryCall call(backend_.end, context, reactor);
    const absl::Status room = backend_.unread.CheckRoom();
    if (!room.ok()) return Answer(std::move(call), room);
    auto page = ParsePageRequest(RegistrationPage::kList, request->page_size(),
                                 request->page_token());
    if (!page.ok()) return Answer(std::move(call), page.status());
    if (!request->type().empty()) {
      absl::Status named = CheckClusterName(request->type(), "");
      if (!named.ok()) return Answer(std::move(call), named);
    }
    std::make_shared<RegistrationPage>(backend_, std::move(call), reactor,
                                       request->type(), *page, response)
        ->ReadOn();
    return reactor;
  }

  UnaryReactor* GetCluster(Context* context,
                           const pb::GetClusterRequest* request,
                           pb::GetClusterResponse* response) override {
    UnaryCall call(backend_.end, context);
    return Answer(std::move(call), Snapshot(*request),
                  [this, response](const SnapshotPtr& cluster) {
                    ToProto(*cluster, response->mutable_cluster());
                    SetAge(backend_.list_ages.Judge(*cluster).age,
                           response->mutable_cluster());
                  });
  }

  UnaryReactor* ListClusters(Context* context,
                             const pb::ListClustersRequest* request,
                             pb::ListClustersResponse* response) override {
    auto* reactor = new CountedReactor(backend_.unread, *context);
    UnaryCall call(backend_.end, context, reactor);
    const absl::Status room = backend_.unread.CheckRoom();
    if (!room.ok()) return Answer(std::move(call), room);
    auto page = ParsePageRequest(kClusters, request->page_size(),
                                 request->page_token());
    return Answer(std::move(call), std::move(page),
                  [this, reactor, response](const PageRequest& asked) {
                    FillClusters(asked, backend_.membership, backend_.list_ages,
                                 response);
                    reactor->Count(*response);
                  });
  }

  UnaryReactor* ListServers(Context* context,
                            const pb::ListServersRequest* request,
                            pb::ListServersResponse* response) override {
    auto* reactor = new CountedReactor(backend_.unread, *context);
    UnaryCall call(backend_.end, context, reactor);
    const absl::Status room = backend_.unread.CheckRoom();
    if (!room.ok()) return Answer(std::move(call), room);
    auto page =
        ParsePageRequest(kServers, request->page_size(), request->page_token());
    if (!page.ok()) return Answer(std::move(call), page.status());
    return Answer(std::move(call), Snapshot(*request),
                  [this, &page, reactor, response](const SnapshotPtr& cluster) {
                    FillServers(*page, *cluster, backend_.list_ages, response);
                    reactor->Count(*response);
                  });
  }

  grpc::ServerWriteReactor<pb::WatchClusterResponse>* WatchCluster(
      Context* context, const pb::WatchClusterRequest* request) override {
    return StartWatch(backend_, options_, context, *request);
  }

 private:
  // Finishes at once; returns what the handler returns.
  static UnaryReactor* Answer(UnaryCall call, const absl::Status& status) {
    UnaryReactor* reactor = call.reactor();
    call.Finish(status);
    return reactor;
  }
  template <typename T, typename Fill>
  static UnaryReactor* Answer(UnaryCall call, absl::StatusOr<T> answer,
                              Fill fill) {
    UnaryReactor* reactor = call.reactor();
    call.Finish(std::move(answer), std::move(fill));
    return reactor;
  }

  // How long the answer to a call may be waited for.
  absl::Duration Wait(const Context& context) const {
    return std::min(TimeLeft(context, options_.deadline_margin), kDefaultWait);
  }

  template <typename Request, typename Response>
  UnaryReactor* SetDraining(Context* context, const Request& request,
                            bool draining, Response* response) {
    UnaryCall call(backend_.end, context);
    UnaryReactor* reactor = call.reactor();
    const absl::Status placed = call.TakePlace(waiting_calls_, request);
    if (!placed.ok()) return Answer(std::move(call), placed);
    auto ref = RefFromProto(request);
    if (!ref.ok()) return Answer(std::move(call), ref.status());
    ref->caller = call.caller();
    backend_.registrar.SetDraining(
        *std::move(ref), draining,
        AnswerRegistration(backend_.self_doubt, std::move(call), response));
    return reactor;
  }

  template <typename Request>
  absl::StatusOr<SnapshotPtr> Snapshot(const Request& request) const {
    absl::Status named = CheckClusterName(request.type(), request.cluster_id());
    if (!named.ok()) return named;
    return backend_.membership.Snapshot(request.type(), request.cluster_id());
  }

  const RpcBackend backend_;
  const RpcOptions options_;
  Slots waiting_calls_;
  Slots keep_alive_streams_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewRegistryService(RpcBackend backend,
                                                  RpcOptions options) {
  return std::make_unique<RegistryServiceImpl>(backend, options);
}

}  // namespace coord
