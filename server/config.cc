#include "server/config.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/text_view.h"
#include "common/url.h"
#include "server/authority_settings.h"
#include "server/command_line.h"
#include "server/host_port.h"
#include "server/settings.h"
#include "server/version.h"

namespace coord {
namespace {

// What describes the service that clusterd registers by itself.
struct OwnServerSettings {
  std::string type;
  std::string id;
  std::string ipv4 = "127.0.0.1";
  std::string base_path;
  std::string public_protocol = "http";
  std::string public_domain;
  std::string version = "0.0.0";
  int port = 0;
  bool node_api = false;
  bool enabled = true;
};

SettingReader AddressInto(std::string& target) {
  return [&target](const std::string& text) -> std::string {
    const absl::StatusOr<HostPort> parsed = ParseHostPort(text);
    if (!parsed.ok()) return std::string(parsed.status().message());
    target = text;
    return "";
  };
}

void DeclareListeners(CLI::App& app, Config& config) {
  SettingGroup group(app, "Listeners");
  group.Text("--grpc-address", "CLUSTERD_GRPC_ADDRESS", "HOST:PORT",
             config.grpc_address,
             "where gRPC is served; port 0 takes any free one",
             AddressInto(config.grpc_address));
  group.Text("--http-address", "CLUSTERD_HTTP_ADDRESS", "HOST:PORT",
             config.http_address,
             "where /healthz, /readyz, /metrics, the node routes and mIT are "
             "served",
             AddressInto(config.http_address));
  group.Text("--advertise", "CLUSTERD_ADVERTISE", "HOST[:PORT]",
             "--http-address",
             "where other servers, and clusterd itself, reach --http-address; "
             "what is registered by a local_base_url is found there",
             [&config](const std::string& text) -> std::string {
               if (!IsReachableAddress(text)) {
                 return "is not HOST or HOST:PORT by which others reach this "
                        "machine";
               }
               config.advertise = text;
               return "";
             });
  group.Text("--port-file", "CLUSTERD_PORT_FILE", "PATH", config.port_file,
             "file to write the effective addresses to, once both are served");
  group.Count("--max-grpc-message-bytes", "CLUSTERD_MAX_GRPC_MESSAGE_BYTES",
              config.grpc.max_message_bytes, 64 << 10, 256 << 20,
              "largest gRPC message received");
  group.Count("--max-grpc-streams", "CLUSTERD_MAX_GRPC_STREAMS",
              config.grpc.max_streams, 1, 1'000'000,
              "calls, watches among them, that one gRPC connection may have "
              "open; what is over waits in the client");
  group.OnOff("--grpc-compression", "CLUSTERD_GRPC_COMPRESSION",
              config.grpc.compression,
              "on: compressed gRPC requests are taken; a small one may cost "
              "much memory, since its size is judged once it is inflated");
  group.Count("--max-unread-bytes", "CLUSTERD_MAX_UNREAD_BYTES",
              config.rpc.unread.max_bytes, 1 << 20, std::int64_t{1} << 40,
              "answers that their callers have not read, over all of gRPC, and "
              "as much over all of HTTP; calls with large answers are refused "
              "while it is reached");
  group.Duration("--unread-timeout", "CLUSTERD_UNREAD_TIMEOUT",
                 config.rpc.unread.patience, absl::Milliseconds(10),
                 absl::Hours(1),
                 "a gRPC caller that takes nothing of its answer for this long "
                 "is given up; it has as much time again for each 4 MiB");
  group.Count("--max-http-connections", "CLUSTERD_MAX_HTTP_CONNECTIONS",
              config.listener.max_connections, 1, 1'000'000,
              "HTTP connections served at one time; unless set, fewer where "
              "open files are limited to few");
  group.Count(
      "--max-http-body-bytes", "CLUSTERD_MAX_HTTP_BODY_BYTES",
      config.listener.max_body_bytes, 1024, 256 << 20,
      "largest request body that the HTTP listener holds; those that it "
      "passes on to a local_base_url have no limit");
  group.Count("--max-http-held-bytes", "CLUSTERD_MAX_HTTP_HELD_BYTES",
              config.listener.max_held_bytes, 1 << 20, std::int64_t{1} << 40,
              "request bodies that the HTTP listener holds at one time");
}

void DeclareRegistry(CLI::App& app, Config& config) {
  SettingGroup group(app, "Registry");
  group.Text("--data-dir", "CLUSTERD_DATA_DIR", "PATH", config.data_dir,
             "directory that keeps clusters and registrations over restarts; "
             "without one they live in memory");
  group.Duration("--lease", "CLUSTERD_LEASE", config.embedded.lease,
                 absl::Seconds(1), absl::Milliseconds(2'147'483'647),
                 "lease that the embedded registry grants");
  group.Count("--max-clusters", "CLUSTERD_MAX_CLUSTERS",
              config.embedded.max_clusters, 1, 10'000'000,
              "clusters at one time; over it, the one goes that has been empty "
              "for longest");
  group.Duration(
      "--forget-empty-clusters-after", "CLUSTERD_FORGET_EMPTY_CLUSTERS_AFTER",
      config.embedded.forget_empty_clusters_after, absl::Minutes(1),
      absl::Hours(24 * 365), "how long a cluster keeps its id without servers");
  group.Duration(
      "--max-list-age", "CLUSTERD_MAX_LIST_AGE", config.max_list_age,
      absl::Seconds(1), absl::Hours(24),
      "a list of mIT that is older when a call or a list asks for it "
      "is STALE, and fetched anew beside the answer");
}

void DeclareRegistration(CLI::App& app, Config& config) {
  SettingGroup group(app, "Registration");
  RegistrarOptions& registrar = config.registrar;
  group.OnOff("--cluster-management", "CLUSTER_MANAGEMENT",
              registrar.management,
              "off: register and renew only; no announcements, no fan-out");
  group.Duration("--registration-retry", "REGISTRATION_RETRY",
                 registrar.registration_retry, absl::Milliseconds(100),
                 absl::Hours(1), "wait between attempts to register");
  group.Duration("--max-renewal-interval", "CLUSTERD_MAX_RENEWAL_INTERVAL",
                 registrar.max_renewal_interval, absl::Seconds(1),
                 absl::Hours(24),
                 "a registration is renewed at least this often");
  group.Duration("--probe-interval", "CLUSTERD_PROBE_INTERVAL",
                 registrar.probe_interval, absl::Milliseconds(100),
                 absl::Hours(1), "how often a service without ttl is probed");
  group.Count("--probe-misses", "CLUSTERD_PROBE_MISSES", registrar.probe_misses,
              1, 100, "missed probes in a row after which a service is dead");
  group.Duration("--forget-after", "CLUSTERD_FORGET_AFTER",
                 registrar.forget_after, absl::Seconds(1),
                 absl::Hours(24 * 365),
                 "how long a service without ttl that does not answer is "
                 "waited for; that of SERVER_TYPE always is");
  group.Duration("--resume-grace", "CLUSTERD_RESUME_GRACE",
                 registrar.resume_grace, absl::ZeroDuration(), absl::Hours(24),
                 "after a restart a session that was kept alive lives for so "
                 "long at the least, however short its ttl: its caller has to "
                 "find clusterd again");
  group.Count(
      "--max-registrations", "CLUSTERD_MAX_REGISTRATIONS",
      registrar.max_registrations, 1, 10'000'000,
      "servers registered at one time, by RPC and by the routes of mIT");
  group.Duration("--probe-pause", "CLUSTERD_PROBE_PAUSE",
                 config.evictor.probe_pause, absl::ZeroDuration(),
                 absl::Minutes(1),
                 "wait between the probes that precede an eviction");
}

void DeclareFanOut(CLI::App& app, Config& config) {
  SettingGroup group(app, "Fan-out");
  FanOutOptions& fanout = config.fanout;
  group.Duration("--request-timeout", "REQUEST_TIMEOUT", fanout.request_timeout,
                 absl::Milliseconds(1), absl::Minutes(10),
                 "for one attempt at one server");
  group.Count("--max-calls", "CLUSTERD_MAX_CALLS", fanout.max_calls, 1,
              1'000'000, "fan-outs in flight");
  group.Count("--max-queued-calls", "CLUSTERD_MAX_QUEUED_CALLS",
              fanout.max_queued_calls, 0, 100'000,
              "fan-outs that wait when as many as may be are in flight; fewer "
              "where they would wait in vain");
  group.Duration("--max-queue-time", "CLUSTERD_MAX_QUEUE_TIME",
                 fanout.max_queue_time, absl::ZeroDuration(), absl::Minutes(1),
                 "how long they wait, and at most a quarter of the time until "
                 "their deadline");
  group.Count("--max-node-calls", "CLUSTERD_MAX_NODE_CALLS",
              fanout.max_node_calls, 1, 10'000'000,
              "requests to servers in flight, over all fan-outs; unless set, "
              "fewer where open files are limited to few");
  group.Count("--max-node-calls-per-call", "CLUSTERD_MAX_NODE_CALLS_PER_CALL",
              fanout.max_node_calls_per_call, 1, 1'000'000,
              "requests to servers in flight for one fan-out");
  group.Count("--hedge-budget-percent", "CLUSTERD_HEDGE_BUDGET_PERCENT",
              fanout.hedge_budget_percent, 0, 100,
              "hedges that fan-outs may add to their requests");
  group.Count("--max-node-answer-bytes", "CLUSTERD_MAX_NODE_ANSWER_BYTES",
              fanout.max_node_answer_bytes, 1024, 1 << 30,
              "largest answer taken from one server");
  group.Count("--max-answer-bytes", "CLUSTERD_MAX_ANSWER_BYTES",
              fanout.max_answer_bytes, 1024, 1 << 30,
              "largest aggregate that a call may ask for");
  group.Count("--io-threads", "CLUSTERD_IO_THREADS", config.io_threads, 0, 256,
              "threads that call servers; 0: one for each core, at most 4");
}

void DeclareConnections(CLI::App& app, Config& config) {
  SettingGroup group(app, "Connections to servers and authorities");
  group.Text("--ca-file", "CLUSTERD_CA_FILE", "PATH",
             config.http_client.ca_file,
             "PEM bundle that https servers are verified by; default: the "
             "system's");
  group.Text("--dns-servers", "CLUSTERD_DNS_SERVERS", "ADDRESS[:PORT],...",
             "those of /etc/resolv.conf",
             "who is asked for names that are not in /etc/hosts",
             [&config](const std::string& text) -> std::string {
               if (!text.empty() && !IsAddressList(text)) {
                 return "is not ADDRESS[:PORT],... of IP addresses";
               }
               config.names.servers = text;
               return "";
             });
  group.Duration("--max-connection-age", "CLUSTERD_MAX_CONNECTION_AGE",
                 config.http_client.max_connection_age, absl::Seconds(1),
                 absl::Hours(24 * 365),
                 "a connection that is older, give or take a tenth, takes no "
                 "other request; so the new address of a name is found");
}

void DeclareWatch(CLI::App& app, Config& config) {
  SettingGroup group(app, "Watches");
  group.Duration("--bookmark-interval", "CLUSTERD_BOOKMARK_INTERVAL",
                 config.rpc.bookmark_interval, absl::Milliseconds(10),
                 absl::Hours(1),
                 "a watch without changes says this often that it is alive");
  group.Count("--max-watchers", "CLUSTERD_MAX_WATCHERS",
              config.membership.max_watchers, 1, 1'000'000,
              "watches open at one time");
  group.Count("--max-change-bytes", "CLUSTERD_MAX_CHANGE_BYTES",
              config.membership.limits.change_bytes, 1 << 20,
              std::int64_t{1} << 40,
              "changes of all clusters that are kept for watches which lag "
              "behind; the oldest go first, and who needs them is reset");
}

void DeclareRpc(CLI::App& app, Config& config) {
  SettingGroup group(app, "Listeners");
  group.Count("--max-waiting-calls", "CLUSTERD_MAX_WAITING_CALLS",
              config.rpc.max_waiting_calls, 1, 1'000'000,
              "registrations, unregistrations, drains and evictions in "
              "progress, and as many requests handed on by node APIs");
  group.Count("--max-keep-alive-streams", "CLUSTERD_MAX_KEEP_ALIVE_STREAMS",
              config.rpc.max_keep_alive_streams, 1, 1'000'000,
              "streams that keep sessions alive, open at one time");
}

void DeclareOwnServer(CLI::App& app, OwnServerSettings& own) {
  SettingGroup group(app, "A service to register at start");
  group.Text("--server-type", "SERVER_TYPE", "TYPE", "",
             "its type; with --server-port it is registered without a call",
             [&own](const std::string& text) -> std::string {
               if (!IsValidServerType(text))
                 return std::string(kServerTypeRule);
               own.type = text;
               return "";
             });
  group.Text("--server-id", "SERVER_ID", "ID", "a random UUID", "its id",
             [&own](const std::string& text) -> std::string {
               if (!IsValidServerId(text)) return std::string(kServerIdRule);
               own.id = text;
               return "";
             });
  group.Count("--server-port", "SERVER_PORT", own.port, 1, 65'535,
              "the port it listens on");
  group.Text("--server-local-ipv4", "SERVER_LOCAL_IPV4", "ADDRESS", own.ipv4,
             "the address that other servers reach it at");
  group.Text("--server-base-path", "SERVER_BASE_PATH", "PATH", own.base_path,
             "the path below which it serves");
  group.Text("--server-public-protocol", "SERVER_PUBLIC_PROTOCOL", "PROTOCOL",
             own.public_protocol, "of its public base URL");
  group.Text("--server-public-domain-name", "SERVER_PUBLIC_DOMAIN_NAME", "NAME",
             own.public_domain,
             "of its public base URL; without one it has none");
  group.Text("--server-version", "SERVER_VERSION", "VERSION", own.version,
             "its version, for the user-agent of requests to mIT");
  group.OnOff("--server-node-api", "SERVER_NODE_API", own.node_api,
              "whether it serves the two itResources routes");
  group.OnOff("--registration-set", "REGISTRATION_SET", own.enabled,
              "off: it is not registered");
}

void DeclareRunning(CLI::App& app, Config& config,
                    std::optional<OnShutdown>& on_shutdown) {
  SettingGroup group(app, "Running");
  group.OneOf("--log-format", "CLUSTERD_LOG_FORMAT", config.log_format,
              {{"text", LogFormat::kText}, {"json", LogFormat::kJson}}, "text",
              "form of the log on standard error");
  group.OneOf<std::string>("--log-level", "CLUSTERD_LOG_LEVEL",
                           config.log_level,
                           {{"trace", "trace"},
                            {"debug", "debug"},
                            {"info", "info"},
                            {"warn", "warn"},
                            {"error", "error"},
                            {"off", "off"}},
                           "info", "what is logged");
  group.Duration(
      "--drain-timeout", "CLUSTERD_DRAIN_TIMEOUT", config.drain_timeout,
      absl::ZeroDuration(), absl::Hours(1),
      "time that calls in flight get when clusterd is stopped; then "
      "they are answered with what is known, and it ends within 2 s");
  group.OneOf<std::optional<OnShutdown>>(
      "--on-shutdown", "CLUSTERD_ON_SHUTDOWN", on_shutdown,
      {{"keep", OnShutdown::kKeep}, {"unregister", OnShutdown::kUnregister}},
      "keep with --data-dir, else unregister",
      "what becomes of registrations when clusterd is stopped");
}

// The service to register by itself; nullopt when none is described. Errors:
// INVALID_ARGUMENT when what is described is not a server.
absl::StatusOr<std::optional<Server>> OwnServer(const OwnServerSettings& own) {
  if (own.type.empty() || own.port == 0 || !own.enabled) return std::nullopt;
  const std::string path = own.base_path.empty() || own.base_path.front() == '/'
                               ? own.base_path
                               : absl::StrCat("/", own.base_path);
  Server server;
  server.type = own.type;
  server.server_id = own.id;
  server.node_api = NodeApiIf(own.node_api);
  server.cluster_base_url =
      absl::StrCat("http://", own.ipv4, ":", own.port, path);
  if (!own.public_domain.empty()) {
    server.public_base_url =
        absl::StrCat(own.public_protocol, "://", own.public_domain, path);
  }
  for (const std::string& url :
       {server.cluster_base_url, server.public_base_url}) {
    if (url.empty()) continue;
    if (const auto parsed = ParseBaseUrl(url); !parsed.ok()) {
      return Annotate(parsed.status(),
                      absl::StrCat("SERVER_* settings give `", url, "`"));
    }
  }
  return server;
}

EarlyExit BadUsage(absl::string_view what) {
  return {2, absl::StrCat("clusterd: ", what,
                          "\nclusterd --help shows what is allowed\n")};
}

// Has `app` read `arguments` and the environment.
std::optional<EarlyExit> Read(const std::vector<std::string>& arguments,
                              CLI::App& app, Config& config) {
  absl::StatusOr<std::vector<std::string>> normal =
      NormalArguments(app, arguments);
  if (!normal.ok()) return BadUsage(normal.status().message());
  config.service_links = LeaveServiceLinks(app);
  std::reverse(normal->begin(), normal->end());  // as parse wants them
  try {
    app.parse(*normal);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream err;
    if (app.exit(error, out, err) == 0) return EarlyExit{0, out.str()};
    return BadUsage(error.what());
  }
  config.http_connections_set = app.count("--max-http-connections") > 0;
  config.node_calls_set = app.count("--max-node-calls") > 0;
  return std::nullopt;
}

EarlyExit BadSettings(const absl::Status& status) {
  return {2, absl::StrCat("clusterd: ", status.message(), "\n")};
}

}  // namespace

std::variant<Config, EarlyExit> ParseCommandLine(int argc,
                                                 const char* const* argv) {
  Config config;
  OwnServerSettings own;
  AuthoritySettings authority;
  std::optional<OnShutdown> on_shutdown;
  CLI::App app(
      "clusterd registers services, keeps the membership of their clusters and "
      "fans requests out to them, over gRPC.",
      "clusterd");
  app.set_version_flag("--version",
                       absl::StrCat("clusterd ", AbslView(kVersion)));
  DeclareListeners(app, config);
  DeclareRegistry(app, config);
  authority.Declare(app);
  DeclareRegistration(app, config);
  DeclareFanOut(app, config);
  DeclareConnections(app, config);
  DeclareWatch(app, config);
  DeclareRpc(app, config);
  DeclareOwnServer(app, own);
  DeclareRunning(app, config, on_shutdown);
  app.get_formatter()->column_width(46);

  if (std::optional<EarlyExit> exit =
          Read({argv + std::min(argc, 1), argv + argc}, app, config)) {
    return *std::move(exit);
  }

  absl::StatusOr<std::optional<Server>> own_server = OwnServer(own);
  if (!own_server.ok()) return BadSettings(own_server.status());
  config.own_server = *std::move(own_server);
  absl::StatusOr<std::optional<MitServiceSettings>> serve_mit =
      authority.ResolveService(own.type);
  if (!serve_mit.ok()) return BadSettings(serve_mit.status());
  config.serve_mit = *std::move(serve_mit);
  absl::StatusOr<std::optional<MitSettings>> mit =
      authority.Resolve(own.type, own.version, config.fanout.request_timeout);
  if (!mit.ok()) return BadSettings(mit.status());
  config.mit = *std::move(mit);
  config.fanout.forward_authorization = !config.use_tokens();
  config.on_shutdown = on_shutdown.value_or(
      config.data_dir.empty() ? OnShutdown::kUnregister : OnShutdown::kKeep);
  config.embedded.max_servers = config.registrar.max_registrations;
  config.membership.max_clusters = config.embedded.max_clusters;
  config.fanout.management = config.registrar.management;
  config.peers.management = config.registrar.management;
  config.evictor.authority_retry =
      std::min(config.registrar.registration_retry, config.evictor.look_again);
  config.peers.request_timeout = config.fanout.request_timeout;
  const HostPort http = *ParseHostPort(config.http_address);
  config.listener.host = http.host;
  config.listener.port = http.port;
  config.listener.max_unread_bytes = config.rpc.unread.max_bytes;
  return config;
}

}  // namespace coord
