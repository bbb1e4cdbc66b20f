#include "server/server.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/ids.h"
#include "common/log.h"
#include "common/text_view.h"
#include "server/core/membership.h"
#include "server/fanout/engine.h"
#include "server/file_limit.h"
#include "server/grpc_listener.h"
#include "server/heartbeat.h"
#include "server/host_port.h"
#include "server/http/asio_loop.h"
#include "server/http/listener.h"
#include "server/http/name_resolver.h"
#include "server/http/router.h"
#include "server/http/socket_budget.h"
#include "server/lane.h"
#include "server/loop_delay.h"
#include "server/metrics.h"
#include "server/near_limits.h"
#include "server/node/evictor.h"
#include "server/node/list_ages.h"
#include "server/node/local_proxy.h"
#include "server/node/mit_routes.h"
#include "server/node/node_routes.h"
#include "server/node/peers.h"
#include "server/node/registrar.h"
#include "server/node/registration_store.h"
#include "server/node/token_issuer.h"
#include "server/node/token_verifier.h"
#include "server/port_file.h"
#include "server/registry/database.h"
#include "server/registry/embedded_registry.h"
#include "server/registry/mit_registry.h"
#include "server/registry/token_service.h"
#include "server/rpc/encode_fan_out.h"
#include "server/rpc/services.h"
#include "server/start_report.h"
#include "server/status_routes.h"
#include "server/stop_schedule.h"
#include "spdlog/spdlog.h"

namespace coord {
namespace {

constexpr int kMostIoThreads = 4;
constexpr absl::Duration kExpireInterval = absl::Minutes(1);
constexpr std::size_t kExpiredAtOnce = 500;

int IoThreads(int configured) {
  if (configured > 0) return configured;
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  return std::clamp(cores, 1, kMostIoThreads);
}

// The id that an earlier life chose for the service stays its id: with another
// it would be in the cluster twice.
std::optional<Server> WithItsFormerId(
    std::optional<Server> own, const std::vector<StoredRegistration>& stored) {
  if (!own || !own->server_id.empty()) return own;
  const auto former = std::find_if(
      stored.begin(), stored.end(), [&own](const StoredRegistration& each) {
        return !each.ttl && each.local_base_url.empty() &&
               each.server.type == own->type &&
               each.server.public_base_url == own->public_base_url &&
               each.server.cluster_base_url == own->cluster_base_url;
      });
  if (former != stored.end()) own->server_id = former->server.server_id;
  return own;
}

}  // namespace

// Members are in the order of their dependencies: state first, servers last.
class ClusterServer::Impl {
 public:
  // Every connection is an open file: all that is allowed is taken.
  explicit Impl(const Config& config)
      : files_(RaiseFileLimit()),
        config_(FitToFileLimit(config, files_)),
        control_sockets_(ControlSockets(config_)),
        fan_out_sockets_(FanOutSockets(config_)) {}
  ~Impl() { Stop().IgnoreError(); }

  absl::Status Start();
  absl::Status Stop();

  std::string grpc_address() const { return grpc_->address(); }
  std::string http_address() const { return http_address_; }

 private:
  absl::Status StartLoops();
  absl::Status OpenRegistry();
  absl::Status OpenMit(const MitSettings& settings);
  absl::Status BindHttp();
  absl::Status IssueTokens(const TokenIssuerOptions& options);
  absl::Status CheckTokens(const TokenVerifier::Options& options,
                           const Credentials& credentials);
  absl::Status BuildNode();
  absl::Status BuildFanOut();
  absl::Status ServeHttp();
  absl::Status ServeGrpc();
  void RegisterOwnServer();
  void ExpireNowAndThen();
  bool IsServedHere(const Server& server) const;
  std::string DescribeNearLimits() const;
  MetricsSample Sample() const;
  void InterruptAt(const StopSchedule& times);
  void StopHttp(absl::Duration grace);
  void StopLoops();

  const std::uint64_t files_;  // that may be open
  const Config config_;
  std::optional<Server> own_server_;  // of SERVER_TYPE
  absl::BitGen random_;
  Metrics metrics_;
  std::atomic<bool> ready_ = false;
  bool stopped_ = false;
  std::string http_address_;        // of the HTTP listener
  std::string advertised_address_;  // the same for others; empty: unknown

  std::unique_ptr<NameResolver> names_;
  SocketBudget control_sockets_;
  SocketBudget fan_out_sockets_;
  Lane control_;  // registrations, probes, announcements, evictions
  Lane web_;      // the HTTP listener, and what it passes on
  std::unique_ptr<AsioLoop> streams_;  // watches, backups, long lists
  std::unique_ptr<Heartbeat> heartbeat_;
  std::vector<Lane> lanes_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<Membership> membership_;
  std::unique_ptr<TokenService> token_service_;  // of mIT
  std::unique_ptr<TokenIssuer> token_issuer_;    // where this is mST
  TokenSource* node_tokens_ = nullptr;           // nullptr: calls carry none
  std::unique_ptr<TokenVerifier> verifier_;      // nullptr: none is asked for
  std::unique_ptr<Registry> registry_;
  const EmbeddedRegistry* embedded_ = nullptr;  // registry_, where it is that
  std::unique_ptr<RegistrationStore> store_;
  std::unique_ptr<Peers> peers_;
  std::unique_ptr<SelfDoubt> self_doubt_;
  std::unique_ptr<Registrar> registrar_;
  std::unique_ptr<ListAges> list_ages_;
  std::unique_ptr<Evictor> evictor_;
  std::unique_ptr<FanOutEngine> engine_;
  std::unique_ptr<NodeRoutes> node_routes_;
  std::unique_ptr<LocalProxy> local_proxy_;
  std::unique_ptr<MitRoutes> mit_routes_;  // nullptr: mIT is not served
  DrainSignal drain_;
  std::unique_ptr<UnreadAnswers> unread_;
  DrainSignal end_;
  Router router_;
  std::unique_ptr<HttpListener> http_;
  std::unique_ptr<GrpcListener> grpc_;
  std::unique_ptr<LoopDelay> control_delay_;
};

absl::Status ClusterServer::Impl::Start() {
  for (auto step : {&Impl::StartLoops, &Impl::OpenRegistry, &Impl::BindHttp,
                    &Impl::BuildNode, &Impl::BuildFanOut, &Impl::ServeHttp,
                    &Impl::ServeGrpc}) {
    if (absl::Status status = (this->*step)(); !status.ok()) return status;
  }
  if (!config_.port_file.empty()) {
    if (absl::Status status =
            WritePortFile(config_.port_file, grpc_address(), http_address());
        !status.ok()) {
      return status;
    }
  }
  registrar_->StartResumed();
  control_.loop->Post([this] { ExpireNowAndThen(); });
  control_delay_ = std::make_unique<LoopDelay>(
      *control_.loop,
      [this](absl::Duration late) { metrics_.OnControlLoopDelay(late); });
  RegisterOwnServer();
  ready_ = true;
  TellStart(config_, files_, grpc_address(), http_address());
  return absl::OkStatus();
}

absl::Status ClusterServer::Impl::StartLoops() {
  absl::StatusOr<std::unique_ptr<NameResolver>> names =
      NameResolver::Create(config_.names);
  if (!names.ok()) return names.status();
  names_ = *std::move(names);
  // Between them they keep what one may keep.
  HttpClientOptions options = config_.http_client;
  options.max_total_idle = (options.max_total_idle + 1) / 2;
  for (const auto& [lane, name] :
       {std::pair(&control_, "control"), std::pair(&web_, "http")}) {
    absl::StatusOr<Lane> started =
        Lane::New(name, {*names_, control_sockets_}, options);
    if (!started.ok()) return started.status();
    *lane = *std::move(started);
  }
  streams_ = std::make_unique<AsioLoop>("streams");
  heartbeat_ = std::make_unique<Heartbeat>(
      [loop = control_.loop.get()] { return loop->Now(); });
  return absl::OkStatus();
}

absl::Status ClusterServer::Impl::OpenRegistry() {
  absl::StatusOr<std::unique_ptr<Database>> database =
      Database::Open({.data_dir = config_.data_dir});
  if (!database.ok()) return database.status();
  database_ = *std::move(database);
  store_ = std::make_unique<RegistrationStore>(*database_);

  MembershipOptions membership = config_.membership;
  membership.pushed = !config_.mit;
  membership_ = std::make_unique<Membership>(membership, RandomUuid(random_));
  auto apply = [this](const ClusterIdentity& cluster, const Change& change) {
    membership_->Apply(cluster, change, control_.loop->WallTime());
  };
  if (config_.mit) return OpenMit(*config_.mit);
  EmbeddedRegistryOptions options = config_.embedded;
  options.last_standstill = [this] { return heartbeat_->LastStandstill(); };
  absl::StatusOr<std::unique_ptr<EmbeddedRegistry>> registry =
      EmbeddedRegistry::Create(*database_, *control_.loop, options, apply,
                               [this](const std::string& cluster_id) {
                                 return membership_->IsWatched(cluster_id);
                               });
  if (!registry.ok()) return registry.status();
  embedded_ = registry->get();
  registry_ = *std::move(registry);
  if (!config_.serve_mit || !config_.serve_mit->tokens) return absl::OkStatus();
  return IssueTokens(*config_.serve_mit->tokens);
}

absl::Status ClusterServer::Impl::OpenMit(const MitSettings& settings) {
  token_service_ = std::make_unique<TokenService>(
      *control_.loop, *control_.client, settings.tokens);
  registry_ = std::make_unique<MitRegistry>(*control_.loop, *control_.client,
                                            *token_service_, settings.registry);
  if (!settings.use_tokens()) return absl::OkStatus();
  node_tokens_ = token_service_.get();
  return CheckTokens(settings.verifier, settings.tokens.credentials);
}

absl::Status ClusterServer::Impl::IssueTokens(
    const TokenIssuerOptions& options) {
  absl::StatusOr<std::unique_ptr<TokenIssuer>> issuer = TokenIssuer::Create(
      options, [loop = control_.loop.get()] { return loop->WallTime(); });
  if (!issuer.ok()) return issuer.status();
  token_issuer_ = *std::move(issuer);
  node_tokens_ = token_issuer_.get();
  // A type that is no client of ours has no tokens, which is why our own calls
  // to it carry none.
  return CheckTokens({.issuer = options.issuer, .accept_without_keys = true},
                     options.clients);
}

absl::Status ClusterServer::Impl::CheckTokens(
    const TokenVerifier::Options& options, const Credentials& credentials) {
  absl::StatusOr<TokenVerifier> verifier = TokenVerifier::Create(
      options, credentials,
      [loop = control_.loop.get()] { return loop->WallTime(); });
  if (!verifier.ok()) return verifier.status();
  verifier_ = std::make_unique<TokenVerifier>(*std::move(verifier));
  return absl::OkStatus();
}

// Registrations have to know our address from the first moment.
absl::Status ClusterServer::Impl::BindHttp() {
  absl::StatusOr<std::unique_ptr<HttpListener>> listener =
      HttpListener::Bind(*web_.loop, config_.listener);
  if (!listener.ok()) return listener.status();
  http_ = *std::move(listener);
  http_address_ = http_->address();
  advertised_address_ = AdvertisedAddress(config_.advertise, http_address_);
  return absl::OkStatus();
}

absl::Status ClusterServer::Impl::BuildNode() {
  auto served_here = [this](const Server& server) {
    return IsServedHere(server);
  };
  PeersOptions peers = config_.peers;
  peers.learned = [this](const std::string& type, const std::string& server_id,
                         const std::string& base_url, NodeApi node_api) {
    membership_->SetNodeApi(type, server_id, base_url, node_api,
                            control_.loop->WallTime());
  };
  peers_ = std::make_unique<Peers>(*control_.loop, *control_.client,
                                   node_tokens_, served_here, std::move(peers));
  self_doubt_ = std::make_unique<SelfDoubt>(
      *control_.loop, *membership_,
      [this](bool active) { metrics_.OnSelfPreservation(active); },
      [this] { return DescribeNearLimits(); });
  RegistrarOptions options = config_.registrar;
  options.advertised_address = advertised_address_;
  options.last_standstill = [this] { return heartbeat_->LastStandstill(); };
  registrar_ = std::make_unique<Registrar>(*control_.loop, *registry_, *store_,
                                           *membership_, *peers_, *self_doubt_,
                                           metrics_, std::move(options));
  list_ages_ = std::make_unique<ListAges>(*control_.loop, *registrar_,
                                          *self_doubt_, config_.max_list_age);
  evictor_ = std::make_unique<Evictor>(*control_.loop, *registry_, *registrar_,
                                       *membership_, *peers_, *self_doubt_,
                                       metrics_, config_.evictor);
  node_routes_ = std::make_unique<NodeRoutes>(
      *web_.loop, *membership_, *registrar_,
      /*follow_peers=*/!registry_->PushesChanges(), verifier_.get());
  if (config_.serve_mit) {
    mit_routes_ =
        std::make_unique<MitRoutes>(*web_.loop, *registry_, *membership_,
                                    *registrar_, metrics_, token_issuer_.get());
  }
  local_proxy_ = std::make_unique<LocalProxy>(
      *web_.loop, *web_.client, *registrar_, verifier_.get(),
      LocalProxyOptions{config_.fanout.request_timeout,
                        config_.fanout.max_node_answer_bytes});
  absl::StatusOr<std::vector<StoredRegistration>> stored = store_->Load();
  if (!stored.ok()) return stored.status();
  own_server_ = WithItsFormerId(config_.own_server, *stored);
  registrar_->Resume(*std::move(stored));
  // Goes through all of them: nobody else wants anything of the loop yet.
  absl::Notification resumed;
  control_.loop->Post([&resumed] { resumed.Notify(); });
  resumed.WaitForNotification();
  return absl::OkStatus();
}

absl::Status ClusterServer::Impl::BuildFanOut() {
  unread_ =
      std::make_unique<UnreadAnswers>(*streams_, config_.rpc.unread, metrics_);
  const int threads = IoThreads(config_.io_threads);
  // Every connection of a call is there for the next one: with fewer kept,
  // large calls side by side spent half their CPU on connecting.
  HttpClientOptions options = config_.http_client;
  options.max_total_idle = static_cast<std::size_t>(
      (config_.fanout.max_node_calls + threads - 1) / threads);
  std::vector<FanOutEngine::Lane> engine_lanes;
  for (int i = 0; i < threads; ++i) {
    absl::StatusOr<Lane> lane = Lane::New(absl::StrCat("fan-out-", i),
                                          {*names_, fan_out_sockets_}, options);
    if (!lane.ok()) return lane.status();
    lanes_.push_back(*std::move(lane));
    engine_lanes.push_back(
        {lanes_.back().loop.get(), lanes_.back().client.get()});
  }
  engine_ = std::make_unique<FanOutEngine>(
      config_.fanout, engine_lanes, *membership_, node_tokens_, *evictor_,
      *list_ages_, metrics_, WireFormat());
  return absl::OkStatus();
}

absl::Status ClusterServer::Impl::ServeHttp() {
  AddStatusRoutes(
      router_, [this] { return ready_.load(); },
      [this] { return metrics_.Text(Sample()); });
  node_routes_->AddTo(router_);
  local_proxy_->AddTo(router_);
  if (mit_routes_ != nullptr) mit_routes_->AddTo(router_);
  http_->Serve(
      [this](HttpServerRequest request, HttpReply reply) {
        router_.Handle(std::move(request), std::move(reply));
      },
      [this](const HttpServerRequest& head) {
        return router_.MayStream(head);
      });
  return absl::OkStatus();
}

absl::Status ClusterServer::Impl::ServeGrpc() {
  const RpcBackend backend{
      *control_.loop, *streams_,   *membership_, *registrar_,   *evictor_,
      *self_doubt_,   *list_ages_, *engine_,     *node_routes_, *database_,
      drain_,         *unread_,    end_};
  std::vector<std::unique_ptr<grpc::Service>> services;
  services.push_back(NewRegistryService(backend, config_.rpc));
  services.push_back(NewFanOutService(backend, config_.rpc));
  services.push_back(NewNodeService(backend, config_.rpc));
  services.push_back(NewAdminService(backend));
  absl::StatusOr<std::unique_ptr<GrpcListener>> listener = GrpcListener::Start(
      config_.grpc_address, config_.grpc, std::move(services));
  if (!listener.ok()) return listener.status();
  grpc_ = *std::move(listener);
  return absl::OkStatus();
}

void ClusterServer::Impl::RegisterOwnServer() {
  if (!own_server_) return;
  RegisterCommand command;
  command.server = *own_server_;
  command.lasting = true;
  registrar_->Register(
      std::move(command), [](absl::StatusOr<RegistrationView> registration) {
        if (registration.ok()) return;
        spdlog::error(
            "register the service of SERVER_TYPE{}",
            Fields({{"error", StdView(registration.status().message())}}));
      });
}

void ClusterServer::Impl::ExpireNowAndThen() {
  const bool more =
      membership_->Expire(control_.loop->WallTime(), kExpiredAtOnce);
  control_.loop->RunAfter(more ? absl::ZeroDuration() : kExpireInterval,
                          [this] { ExpireNowAndThen(); });
}

// By the text: nothing is parsed for each member that an announcement might go
// to.
bool ClusterServer::Impl::IsServedHere(const Server& server) const {
  constexpr absl::string_view kScheme = "http://";
  const absl::string_view url = server.cluster_base_url;
  if (!absl::StartsWithIgnoreCase(url, kScheme)) return false;
  const absl::string_view rest = url.substr(kScheme.size());
  const absl::string_view address = rest.substr(0, rest.find('/'));
  return absl::EqualsIgnoreCase(address, http_address_) ||
         absl::EqualsIgnoreCase(address, advertised_address_);
}

std::string ClusterServer::Impl::DescribeNearLimits() const {
  return NearLimits({{"open files", CountOpenFiles(), files_},
                     {"connections for probes, announcements and services",
                      control_sockets_.taken(), control_sockets_.most()},
                     {"connections for calls", fan_out_sockets_.taken(),
                      fan_out_sockets_.most()}});
}

// Where the HTTP listener calls its handlers.
MetricsSample ClusterServer::Impl::Sample() const {
  MetricsSample sample;
  sample.calls_in_flight = engine_->calls_in_flight();
  sample.calls_waiting = engine_->calls_waiting();
  sample.node_calls_allowed = engine_->node_calls_allowed();
  sample.unread_bytes = unread_->bytes();
  sample.http_unread_bytes = http_->unread_bytes();
  sample.registrations = registrar_->Count();
  const MembershipCounts known = membership_->Count();
  sample.clusters = known.clusters;
  sample.servers = known.servers;
  const DatabaseStats store = database_->Stats();
  sample.store_commits = store.commits;
  sample.store_writes = store.writes;
  sample.store_queue = store.queued;
  if (embedded_ != nullptr) sample.expired = embedded_->expired();
  return sample;
}

absl::Status ClusterServer::Impl::Stop() {
  if (std::exchange(stopped_, true) || control_.loop == nullptr) {
    return absl::OkStatus();
  }
  // One that did not start has promised nothing, and leaves alone what an
  // earlier life did.
  const bool unregister =
      ready_.exchange(false) && config_.on_shutdown == OnShutdown::kUnregister;
  const AsioLoop& clock = *control_.loop;
  const StopSchedule times(clock.Now(), config_.drain_timeout, unregister);
  if (grpc_ != nullptr) grpc_->SetServing(false);
  if (engine_ != nullptr) engine_->Drain();
  drain_.Drain();
  InterruptAt(times);
  absl::Notification unregistered;
  if (registrar_ != nullptr) {
    registrar_->Stop(unregister, times.unregister_timeout,
                     [&unregistered] { unregistered.Notify(); });
  }
  if (grpc_ != nullptr) {
    absl::SleepFor(StopSchedule::kLameDuck);
    grpc_->Stop(times.cancelled - clock.Now());
  }
  if (registrar_ != nullptr) unregistered.WaitForNotification();
  StopHttp(times.drained - clock.Now());
  StopLoops();
  if (database_ == nullptr || database_->AwaitIdle(times.end - clock.Now())) {
    return absl::OkStatus();
  }
  return absl::DeadlineExceededError(
      "stop: the store does not end its writes; none of them was "
      "acknowledged");
}

// What is still open when each part has answered who waits for it, with what it
// knows, is kept by somebody who can't be interrupted.
void ClusterServer::Impl::InterruptAt(const StopSchedule& times) {
  control_.loop->Post([this, times] {
    AsioLoop& loop = *control_.loop;
    loop.RunAfter(times.drained - loop.Now(), [this] {
      if (registry_ != nullptr) registry_->Stop();
      if (evictor_ != nullptr) evictor_->Stop();
      if (peers_ != nullptr) peers_->Stop();
      if (engine_ != nullptr) engine_->Stop();
    });
    loop.RunAfter(times.answered - loop.Now(), [this] { end_.Drain(); });
  });
}

void ClusterServer::Impl::StopHttp(absl::Duration grace) {
  if (http_ == nullptr) return;
  absl::Notification closed;
  http_->Stop(grace, [&closed] { closed.Notify(); });
  closed.WaitForNotification();
}

// After this nothing of ours runs but the store's writer, which ends when the
// store is destroyed.
void ClusterServer::Impl::StopLoops() {
  if (names_ != nullptr) names_->Stop();
  for (Lane& lane : lanes_) lane.loop->Stop();
  if (web_.loop != nullptr) web_.loop->Stop();
  if (streams_ != nullptr) streams_->Stop();
  if (control_.loop != nullptr) control_.loop->Stop();
}

absl::StatusOr<std::unique_ptr<ClusterServer>> ClusterServer::Start(
    const Config& config) {
  auto impl = std::make_unique<Impl>(config);
  if (absl::Status status = impl->Start(); !status.ok()) return status;
  return std::unique_ptr<ClusterServer>(new ClusterServer(std::move(impl)));
}

ClusterServer::ClusterServer(std::unique_ptr<Impl> impl)
    : impl_(std::move(impl)) {}

ClusterServer::~ClusterServer() = default;

std::string ClusterServer::grpc_address() const {
  return impl_->grpc_address();
}

std::string ClusterServer::http_address() const {
  return impl_->http_address();
}

absl::Status ClusterServer::Stop() { return impl_->Stop(); }

}  // namespace coord
