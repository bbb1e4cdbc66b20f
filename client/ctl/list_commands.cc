// Commands that show what a clusterd knows: status, clusters, servers, health.
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/ctl/command.h"
#include "client/ctl/registration_output.h"
#include "client/ctl/table.h"
#include "client/ctl/text.h"
#include "common/error.h"

namespace coord {
namespace {

constexpr int kPageSize = 1000;

// For all pages together.
constexpr absl::Duration kListTimeout = absl::Seconds(10);

// All pages of a list in one response. Errors: those of `rpc`,
// DEADLINE_EXCEEDED when the last page has not come in time.
template <typename Request, typename Response>
absl::StatusOr<Response> AllPages(const Context& context, const Client& client,
                                  absl::StatusOr<Response> (Client::*rpc)(
                                      const Request&, const CallOptions&) const,
                                  Request request) {
  const absl::Time deadline =
      absl::Now() + context.timeout.value_or(kListTimeout);
  Response all;
  request.set_page_size(kPageSize);
  do {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) {
      return absl::DeadlineExceededError("list: there are more pages");
    }
    const absl::StatusOr<Response> page =
        (client.*rpc)(request, {.timeout = left, .correlation_id = ""});
    if (!page.ok()) return page.status();
    all.MergeFrom(*page);
    if constexpr (requires { page->membership_age(); }) {
      // As the last page has it: merged, it would have parts of all.
      all.clear_membership_age();
      if (page->has_membership_age()) {
        *all.mutable_membership_age() = page->membership_age();
      }
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  all.clear_next_page_token();
  return all;
}

void Print(const Context& context, const Table& table, std::string_view none) {
  if (table.empty()) {
    context.out << none << "\n";
  } else {
    context.out << table.ToString();
  }
}

class StatusCommand final : public Command {
 public:
  Description Describe() const override {
    return {"status", "Registrations", "show what this clusterd holds",
            "All registrations, those of a type, or one in detail. With --env "
            "the status of one\nas lines for a shell:\n\n"
            "  eval \"$(clusterctl status orders --env)\"\n"
            "  echo \"$REGISTRATION_STATUS, $CLUSTER_STATUS_SERVERS servers\"\n"
            "\nCLUSTER_STATUS_LEASE_TIME is in milliseconds.\n"};
  }

  void Declare(ArgParser& args) override {
    args.Positional("TYPE", "only this type", Text(&type_), Count::kAtMostOne);
    args.Positional("ID", "only this server, in detail", Text(&server_id_),
                    Count::kAtMostOne);
    args.Option("--cluster", "ID", "where a type has several clusters",
                Text(&cluster_id_));
    args.Flag("--env", "KEY=value lines for a shell", &env_);
  }

  ExitCode Run(const Context& context) override {
    const absl::StatusOr<Client> client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    return server_id_.empty() ? ShowAll(context, *client)
                              : ShowOne(context, *client);
  }

 private:
  ExitCode ShowOne(const Context& context, const Client& client) const {
    pb::GetRegistrationRequest request;
    request.set_type(type_);
    request.set_server_id(server_id_);
    request.set_cluster_id(cluster_id_);
    const auto response = client.GetRegistration(request);
    if (!response.ok()) return context.Fail(response.status());
    if (context.json) {
      context.PrintJson(*response);
    } else if (env_) {
      context.out << RegistrationEnv(response->registration());
    } else {
      context.out << RegistrationText(response->registration());
    }
    return ExitCode::kOk;
  }

  ExitCode ShowAll(const Context& context, const Client& client) const {
    pb::ListRegistrationsRequest request;
    request.set_type(type_);
    const auto response =
        AllPages(context, client, &Client::ListRegistrations, request);
    if (!response.ok()) return context.Fail(response.status());
    if (context.json) {
      context.PrintJson(*response);
      return ExitCode::kOk;
    }
    if (env_) return ShowOnly(context, *response);
    Table table({"TYPE", "SERVER", "STATE", "TTL", "CLUSTER", "SERVERS",
                 "LEASE", "NEXT RENEWAL", "MESSAGE"});
    for (const pb::Registration& it : response->registrations()) {
      table.Add({it.server().type(), it.server().server_id(),
                 EnumName(it.state()),
                 it.has_ttl() ? ShortInterval(it.ttl()) : "probed",
                 it.cluster_id(), absl::StrCat(it.status().server_count()),
                 ShortInterval(it.lease_duration()),
                 Date(it.next_renewal_time()), it.message()});
    }
    Print(context, table, "nothing is registered here");
    ShowSelfPreservation(context, *response);
    return ExitCode::kOk;
  }

  // All registrations say the same.
  static void ShowSelfPreservation(
      const Context& context, const pb::ListRegistrationsResponse& response) {
    if (response.registrations().empty()) return;
    const std::string text = SelfPreservationText(response.registrations(0));
    if (!text.empty()) context.out << "\nevictions: " << text << "\n";
  }

  ExitCode ShowOnly(const Context& context,
                    const pb::ListRegistrationsResponse& response) const {
    if (response.registrations_size() == 1) {
      context.out << RegistrationEnv(response.registrations(0));
      return ExitCode::kOk;
    }
    return context.Fail(absl::FailedPreconditionError(absl::StrCat(
        "status: --env shows one registration and ",
        response.registrations_size(), " match; name it as TYPE ID")));
  }

  std::string type_;
  std::string server_id_;
  std::string cluster_id_;
  bool env_ = false;
};

class ClustersCommand final : public Command {
 public:
  Description Describe() const override {
    return {"clusters", "Clusters", "list clusters",
            "Those that this clusterd knows.\n"};
  }

  void Declare(ArgParser&) override {}

  ExitCode Run(const Context& context) override {
    const absl::StatusOr<Client> client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    const auto response = AllPages(context, *client, &Client::ListClusters,
                                   pb::ListClustersRequest());
    if (!response.ok()) return context.Fail(response.status());
    if (context.json) {
      context.PrintJson(*response);
      return ExitCode::kOk;
    }
    Table table({"TYPE", "CLUSTER", "SERVERS", "REVISION", "UPDATED", "AGE",
                 "PUBLIC URL"});
    for (const pb::Cluster& it : response->clusters()) {
      table.Add({it.type(), it.id(), absl::StrCat(it.server_count()),
                 absl::StrCat(it.revision()), Date(it.update_time()),
                 AgeText(it.membership_age()), it.public_base_url()});
    }
    Print(context, table, "no cluster is known here");
    return ExitCode::kOk;
  }
};

class ServersCommand final : public Command {
 public:
  Description Describe() const override {
    return {"servers", "Clusters", "list the servers of a cluster", ""};
  }

  void Declare(ArgParser& args) override {
    args.Positional("TYPE", "of the service", Text(&type_));
    args.Option("--cluster", "ID", "where a type has several clusters",
                Text(&cluster_id_));
  }

  ExitCode Run(const Context& context) override {
    const absl::StatusOr<Client> client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    pb::ListServersRequest request;
    request.set_type(type_);
    request.set_cluster_id(cluster_id_);
    const auto response =
        AllPages(context, *client, &Client::ListServers, request);
    if (!response.ok()) return context.Fail(response.status());
    if (context.json) {
      context.PrintJson(*response);
      return ExitCode::kOk;
    }
    Table table({"SERVER", "STATE", "URL", "NODE API", "UPDATED", "ETAG"});
    for (const pb::Server& it : response->servers()) {
      table.Add({it.server_id(), EnumName(it.state()), it.cluster_base_url(),
                 it.node_api() ? "yes" : "no", Date(it.update_time()),
                 it.etag()});
    }
    Print(context, table, "the cluster has no servers");
    const std::string age = AgeText(response->membership_age());
    if (!age.empty()) context.out << "\nmembership " << age << "\n";
    return ExitCode::kOk;
  }

 private:
  std::string type_;
  std::string cluster_id_;
};

class HealthCommand final : public Command {
 public:
  Description Describe() const override {
    return {"health", "Process", "ask whether clusterd serves",
            "Fails unless the answer is SERVING.\n\n"
            "  clusterctl health\n"
            "  clusterctl health mimik.cluster.v1.FanOutService\n"};
  }

  void Declare(ArgParser& args) override {
    args.Positional("SERVICE", "gRPC service; else clusterd as a whole",
                    Text(&service_), Count::kAtMostOne);
  }

  ExitCode Run(const Context& context) override {
    const absl::StatusOr<Client> client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    const auto response = client->CheckHealth(service_);
    if (!response.ok()) {
      return context.Fail(service_.empty()
                              ? response.status()
                              : Annotate(response.status(), service_));
    }
    using grpc::health::v1::HealthCheckResponse;
    if (context.json) {
      context.PrintJson(*response);
    } else {
      context.out << HealthCheckResponse::ServingStatus_Name(response->status())
                  << "\n";
    }
    return response->status() == HealthCheckResponse::SERVING
               ? ExitCode::kOk
               : ExitCode::kFailed;
  }

 private:
  std::string service_;
};

}  // namespace

std::unique_ptr<Command> NewStatusCommand() {
  return std::make_unique<StatusCommand>();
}

std::unique_ptr<Command> NewClustersCommand() {
  return std::make_unique<ClustersCommand>();
}

std::unique_ptr<Command> NewServersCommand() {
  return std::make_unique<ServersCommand>();
}

std::unique_ptr<Command> NewHealthCommand() {
  return std::make_unique<HealthCommand>();
}

}  // namespace coord
