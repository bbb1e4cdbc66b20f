// Every setting of clusterd in one validated struct. config.cc is the only file
// that sees flags and the environment.
#ifndef SERVER_CONFIG_H_
#define SERVER_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "common/log.h"
#include "server/authority_settings.h"
#include "server/command_line.h"
#include "server/core/membership.h"
#include "server/fanout/engine.h"
#include "server/grpc_listener.h"
#include "server/http/client.h"
#include "server/http/listener.h"
#include "server/http/name_resolver.h"
#include "server/node/evictor.h"
#include "server/node/peers.h"
#include "server/node/registrar.h"
#include "server/registry/embedded_registry.h"
#include "server/rpc/services.h"

namespace coord {

enum class OnShutdown { kKeep, kUnregister };

struct Config {
  // Listeners.
  std::string grpc_address = "127.0.0.1:7700";
  std::string http_address = "127.0.0.1:7780";
  std::string port_file;  // where the effective addresses are written; or empty
  HttpListenerOptions listener;  // host and port are those of http_address
  std::string advertise;         // how others reach it, HOST[:PORT]; or empty
  GrpcListenerOptions grpc;
  // Whether somebody has set the limit. One that nobody has set is lowered
  // where open files are short.
  bool http_connections_set = false;  // listener.max_connections
  bool node_calls_set = false;        // fanout.max_node_calls

  // Registry.
  std::optional<MitSettings> mit;               // nullopt: the embedded one
  std::optional<MitServiceSettings> serve_mit;  // with the embedded one
  std::string data_dir;
  EmbeddedRegistryOptions embedded;
  // With mIT: a list that is older when somebody asks is brought up to date.
  absl::Duration max_list_age = absl::Seconds(60);

  // Life of registrations.
  RegistrarOptions registrar;
  EvictorOptions evictor;
  PeersOptions peers;
  MembershipOptions membership;

  // Fan-out.
  FanOutOptions fanout;
  HttpClientOptions http_client;
  NameResolverOptions names;
  int io_threads = 0;  // 0: one for each core, 4 at the most

  RpcOptions rpc;

  // A service that clusterd registers by itself at start (SERVER_TYPE and
  // SERVER_PORT).
  std::optional<Server> own_server;

  // Running.
  std::string log_level = "info";
  LogFormat log_format = LogFormat::kText;
  absl::Duration drain_timeout = absl::Seconds(20);
  OnShutdown on_shutdown = OnShutdown::kUnregister;  // kKeep with a data_dir
  std::vector<ServiceLink>
      service_links;  // found in the environment, not taken

  // Whether calls carry tokens and the node API asks for them.
  bool use_tokens() const {
    return (mit && mit->use_tokens()) || (serve_mit && serve_mit->tokens);
  }
};

// What the command line asks for instead of a running server: `text` is for
// standard output when `exit_code` is 0, else for standard error.
struct EarlyExit {
  int exit_code;
  std::string text;
};

// Reads flags and environment; a flag beats the environment. `--help` and
// `--version` are early exits with 0; an unknown flag or a wrong value is one
// with 2, and its text names the setting and what is allowed. A bare number
// where a duration is wanted is milliseconds, as in the reference.
std::variant<Config, EarlyExit> ParseCommandLine(int argc,
                                                 const char* const* argv);

}  // namespace coord

#endif  // SERVER_CONFIG_H_
