#include <atomic>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cpp/proto_time.h"
#include "client/cpp/session.h"
#include "client/ctl/command.h"
#include "client/ctl/registration_output.h"
#include "client/ctl/stop_signal.h"
#include "client/ctl/text.h"
#include "common/error.h"
#include "google/protobuf/util/json_util.h"

namespace coord {
namespace {

constexpr absl::Duration kDefaultTtl = absl::Seconds(30);

ValueParser Json(google::protobuf::Value* value) {
  return [value](std::string_view text) {
    if (google::protobuf::util::JsonStringToMessage(std::string(text), value)
            .ok()) {
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(
        absl::StrCat("\"", std::string(text),
                     "\" is no JSON; a text needs quotes: '\"…\"'"));
  };
}

class RegisterCommand final : public Command {
 public:
  Description Describe() const override {
    return {"register", "Registrations", "register a server",
            "Without --ttl the server is in the cluster whenever it answers "
            "clusterd. With\n--ttl somebody must keep the session alive: "
            "`clusterctl keepalive SESSION`, or this\ncommand with "
            "--keepalive, which stays until SIGINT or SIGTERM and then\n"
            "unregisters the server; a second signal ends it at once. While "
            "clusterd can't be\nreached it tries again, and with --timeout "
            "fails if it is not registered by then.\n\n"
            "  clusterctl register orders --url http://10.0.0.7:8080\n"
            "  clusterctl register orders --url http://10.0.0.7:8080 "
            "--keepalive --ttl 10s\n"
            "  clusterctl register orders --local-base-url "
            "http://127.0.0.1:8080\n"};
  }

  void Declare(ArgParser& args) override {
    args.Positional("TYPE", "of the service; its cluster's name",
                    Text(server_.mutable_type()));
    args.Option("--url", "URL", "where the others reach it",
                Text(server_.mutable_cluster_base_url()));
    args.Option("--local-base-url", "URL",
                "instead: where clusterd reaches it, to serve the cluster for "
                "it",
                Text(&local_base_url_));
    args.Option("--id", "ID", "of this server; else clusterd chooses one",
                Text(server_.mutable_server_id()));
    args.Option("--public-url", "URL", "where the service as a whole is found",
                Text(server_.mutable_public_base_url()));
    args.Option("--location", "JSON", "passed on to the other servers",
                Json(server_.mutable_location()));
    args.Flag("--node-api", "it serves the itResources routes", &node_api_);
    args.Option("--ttl", "DURATION",
                "how long it stays without a keepalive; 30s with --keepalive",
                Interval(&ttl_));
    args.Flag("--keepalive", "stay, keep it alive, unregister at the end",
              &keep_alive_);
    args.Option("--session", "SESSION", "of an earlier register: repeat it",
                Text(&session_id_));
    args.Flag("--no-wait", "do not wait for the authority", &no_wait_);
  }

  ExitCode Run(const Context& context) override {
    if (server_.cluster_base_url().empty() == local_base_url_.empty()) {
      return context.Fail(absl::InvalidArgumentError(
          "register: either --url or --local-base-url is required"));
    }
    if (keep_alive_ && (no_wait_ || !session_id_.empty())) {
      return context.Fail(absl::InvalidArgumentError(
          "register: --keepalive goes with neither --session nor --no-wait"));
    }
    if (server_.location().kind_case() ==
        google::protobuf::Value::KIND_NOT_SET) {
      server_.clear_location();
    }
    server_.set_node_api(node_api_);
    return keep_alive_ ? KeepAlive(context) : Register(context);
  }

 private:
  ExitCode Register(const Context& context) {
    const absl::StatusOr<Client> client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    pb::RegisterServerRequest request;
    *request.mutable_server() = server_;
    request.set_local_base_url(local_base_url_);
    if (ttl_.has_value()) *request.mutable_ttl() = ToProto(*ttl_);
    request.set_session_id(session_id_);
    request.set_wait(!no_wait_);
    const auto response = client->RegisterServer(request);
    if (!response.ok()) return context.Fail(response.status());
    if (context.json) {
      context.PrintJson(*response);
    } else {
      context.out << RegistrationText(response->registration());
    }
    return ExitCode::kOk;
  }

  ExitCode KeepAlive(const Context& context) {
    StopSignal stop;
    const absl::StatusOr<Client> client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());

    SessionOptions options;
    options.server = server_;
    options.local_base_url = local_base_url_;
    options.ttl = ttl_.value_or(kDefaultTtl);
    if (context.timeout.has_value()) options.call_timeout = *context.timeout;
    absl::Status stopped;
    std::string told;
    std::atomic<bool> registered = false;
    options.callbacks.on_update = [&](const pb::Registration& registration) {
      registered = true;
      told.clear();
      PrintUpdate(context, registration);
    };
    options.callbacks.on_lost = [&](const absl::Status& status) {
      context.TellLoss(status, told);
    };
    options.callbacks.on_stopped = [&](const absl::Status& status) {
      stopped = status;
      stop.Raise();
    };
    Session session(*client, std::move(options));
    bool ended = stop.Wait(context.timeout.value_or(absl::InfiniteDuration()));
    if (!ended && registered) ended = stop.Wait();
    stop.Release();
    const auto left = session.Close();
    if (!ended) {
      stopped = MakeError(Reason::kNotRegistered,
                          "register: it was not done within --timeout");
    }
    if (!stopped.ok()) return context.Fail(stopped);
    if (!left.ok()) return context.Fail(left.status());
    if (!context.json) {
      context.out << "unregistered; "
                  << Counted(left->server_count() - 1, "server") << " left\n";
    }
    return ExitCode::kOk;
  }

  static void PrintUpdate(const Context& context,
                          const pb::Registration& registration) {
    if (context.json) return context.PrintJsonLine(registration);
    const pb::Server& server = registration.server();
    context.out << Printable(
                       absl::StrCat(server.type(), "/", server.server_id(), " ",
                                    EnumName(registration.state()), " session ",
                                    registration.session_id()))
                << std::endl;
  }

  pb::Server server_;
  std::string local_base_url_;
  bool node_api_ = false;
  std::optional<absl::Duration> ttl_;
  bool keep_alive_ = false;
  std::string session_id_;
  bool no_wait_ = false;
};

class KeepAliveCommand final : public Command {
 public:
  Description Describe() const override {
    return {"keepalive", "Registrations", "keep sessions alive",
            "Keeps each session alive once and tells how long it lives now; "
            "with --every, until\na session is lost, SIGINT or SIGTERM. Fails "
            "if one of the sessions is not alive.\n\n"
            "  clusterctl keepalive 3f0c… --every 10s\n"};
  }

  void Declare(ArgParser& args) override {
    args.Positional("SESSION", "as `clusterctl register` printed it",
                    TextList(&session_ids_), Count::kOneOrMore);
    args.Option("--every", "DURATION", "again and again", Interval(&every_));
  }

  ExitCode Run(const Context& context) override {
    if (every_.has_value()) EndWellOnSignal();
    const absl::StatusOr<Client> client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    for (;; absl::SleepFor(*every_)) {
      const auto responses = client->KeepAlive(session_ids_);
      if (!responses.ok()) {
        if (!every_.has_value()) return context.Fail(responses.status());
        // A session outlives a short break.
        context.Fail(responses.status());
        continue;
      }
      bool all_alive = true;
      for (const pb::KeepAliveResponse& response : *responses) {
        all_alive &= Print(context, response);
      }
      if (!all_alive) return ExitCode::kFailed;
      if (!every_.has_value()) return ExitCode::kOk;
    }
  }

 private:
  // Whether the session is alive.
  static bool Print(const Context& context,
                    const pb::KeepAliveResponse& response) {
    if (context.json) {
      context.PrintJsonLine(response);
    } else if (response.has_success()) {
      const pb::KeepAliveSuccess& success = response.success();
      context.out << Printable(absl::StrCat(
                         response.session_id(), "  ", EnumName(success.state()),
                         "  ", ShortInterval(success.time_left()), " left"))
                  << std::endl;
    } else {
      const pb::KeepAliveError& error = response.error();
      context.err << "clusterctl: "
                  << Printable(absl::StrCat(response.session_id(), ": ",
                                            error.message(), " (",
                                            error.reason(), ")"))
                  << std::endl;
    }
    return response.has_success();
  }

  std::vector<std::string> session_ids_;
  std::optional<absl::Duration> every_;
};

}  // namespace

std::unique_ptr<Command> NewRegisterCommand() {
  return std::make_unique<RegisterCommand>();
}

std::unique_ptr<Command> NewKeepAliveCommand() {
  return std::make_unique<KeepAliveCommand>();
}

}  // namespace coord
