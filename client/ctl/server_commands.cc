// Commands that act on one server: drain, undrain, unregister, evict.
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/ctl/command.h"
#include "client/ctl/text.h"

namespace coord {
namespace {

// Which server a command is about.
struct Target {
  std::string type;
  std::string server_id;
  std::string cluster_id;

  void Declare(ArgParser& args) {
    args.Positional("TYPE", "of the service", Text(&type));
    args.Positional("ID", "of the server", Text(&server_id));
    args.Option("--cluster", "ID", "where a type has several clusters",
                Text(&cluster_id));
  }

  template <typename Request>
  Request ToRequest() const {
    Request request;
    request.set_type(type);
    request.set_server_id(server_id);
    request.set_cluster_id(cluster_id);
    return request;
  }

  std::string ToString() const {
    return Printable(absl::StrCat(type, "/", server_id));
  }
};

// Sends `request`; says `done` where no JSON was asked for.
template <typename Request, typename Response>
ExitCode Send(const Context& context,
              absl::StatusOr<Response> (Client::*rpc)(const Request&,
                                                      const CallOptions&) const,
              const Request& request, const std::string& done) {
  const absl::StatusOr<Client> client = context.Connect();
  if (!client.ok()) return context.Fail(client.status());
  const absl::StatusOr<Response> response = ((*client).*rpc)(request, {});
  if (!response.ok()) return context.Fail(response.status());
  if (context.json) {
    context.PrintJson(*response);
  } else {
    context.out << done << "\n";
  }
  return ExitCode::kOk;
}

class DrainCommand final : public Command {
 public:
  Description Describe() const override {
    return {"drain", "Registrations", "let calls to a cluster skip a server",
            "The server stays registered and visible. `clusterctl undrain` "
            "takes it back.\n"};
  }
  void Declare(ArgParser& args) override { target_.Declare(args); }
  ExitCode Run(const Context& context) override {
    return Send(context, &Client::DrainServer,
                target_.ToRequest<pb::DrainServerRequest>(),
                target_.ToString() + " is draining");
  }

 private:
  Target target_;
};

class UndrainCommand final : public Command {
 public:
  Description Describe() const override {
    return {"undrain", "Registrations", "take a drain back",
            "Calls to the cluster reach the server again.\n"};
  }
  void Declare(ArgParser& args) override { target_.Declare(args); }
  ExitCode Run(const Context& context) override {
    return Send(context, &Client::UndrainServer,
                target_.ToRequest<pb::UndrainServerRequest>(),
                target_.ToString() + " takes calls again");
  }

 private:
  Target target_;
};

class UnregisterCommand final : public Command {
 public:
  Description Describe() const override {
    return {"unregister", "Registrations", "end a registration",
            "Removes a server that this clusterd holds and tells the others. "
            "What fails on the\nway is told and does not fail the command.\n"};
  }

  void Declare(ArgParser& args) override {
    target_.Declare(args);
    args.Option("--session", "SESSION", "only if this session is the current",
                Text(&session_id_));
  }

  ExitCode Run(const Context& context) override {
    const absl::StatusOr<Client> client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    auto request = target_.ToRequest<pb::UnregisterServerRequest>();
    request.set_session_id(session_id_);
    const auto response = client->UnregisterServer(request);
    if (!response.ok()) return context.Fail(response.status());
    if (context.json) {
      context.PrintJson(*response);
      return ExitCode::kOk;
    }
    context.out << target_.ToString() << " is unregistered";
    // One that was in no cluster yet leaves none.
    if (response->server_count() > 0) {
      context.out << "; " << Counted(response->server_count() - 1, "server")
                  << " left";
    }
    context.out << "\n";
    for (const pb::UnregisterError& error : response->errors()) {
      context.err << "clusterctl: "
                  << Printable(absl::StrCat(error.server_id().empty()
                                                ? "authority"
                                                : error.server_id(),
                                            ": ", error.message()))
                  << "\n";
    }
    return ExitCode::kOk;
  }

 private:
  Target target_;
  std::string session_id_;
};

class EvictCommand final : public Command {
 public:
  Description Describe() const override {
    return {"evict", "Clusters", "remove a server by hand",
            "Removes the record that --etag names and no newer one, so that a "
            "server that has\nregistered again meanwhile is safe. "
            "`clusterctl servers TYPE` shows etags.\n\n"
            "A server that lives does not stay away: whoever holds it "
            "registered registers it\nagain. Tells what became of it, and "
            "fails where it is back. Drain it to keep calls\naway, unregister "
            "it to end its registration.\n"};
  }

  void Declare(ArgParser& args) override {
    target_.Declare(args);
    args.Option("--etag", "ETAG", "of the record to remove (required)",
                Text(&etag_));
  }

  ExitCode Run(const Context& context) override {
    if (etag_.empty()) {
      return context.Fail(absl::InvalidArgumentError(
          "evict: --etag is required; `clusterctl servers TYPE` shows it"));
    }
    auto request = target_.ToRequest<pb::EvictServerRequest>();
    request.set_etag(etag_);
    const absl::StatusOr<Client> client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    const auto response = client->EvictServer(request);
    if (!response.ok()) return context.Fail(response.status());
    const bool back = response->outcome() == pb::EVICTION_OUTCOME_RETURNED;
    if (context.json) {
      context.PrintJson(*response);
    } else if (back) {
      context.err << "clusterctl: " << Tell(*response);
    } else {
      context.out << Tell(*response);
    }
    return back ? ExitCode::kFailed : ExitCode::kOk;
  }

 private:
  std::string Tell(const pb::EvictServerResponse& response) const {
    return absl::StrCat(target_.ToString(), " was evicted",
                        response.message().empty() ? "" : "; ",
                        Printable(response.message()), "\n");
  }

  Target target_;
  std::string etag_;
};

}  // namespace

std::unique_ptr<Command> NewDrainCommand() {
  return std::make_unique<DrainCommand>();
}

std::unique_ptr<Command> NewUndrainCommand() {
  return std::make_unique<UndrainCommand>();
}

std::unique_ptr<Command> NewUnregisterCommand() {
  return std::make_unique<UnregisterCommand>();
}

std::unique_ptr<Command> NewEvictCommand() {
  return std::make_unique<EvictCommand>();
}

}  // namespace coord
