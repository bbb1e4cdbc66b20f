#include <atomic>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "client/cpp/cluster_watch.h"
#include "client/ctl/command.h"
#include "client/ctl/stop_signal.h"
#include "client/ctl/text.h"
#include "common/correlation_id.h"

namespace coord {
namespace {

// Without --timeout; what follows may be quiet for as long as it likes.
constexpr absl::Duration kFirstAnswerTimeout = absl::Seconds(10);

std::string ServerText(const pb::Server& server) {
  return absl::StrCat(server.server_id(), "  ", server.cluster_base_url(),
                      server.state() == pb::SERVER_STATE_ACTIVE
                          ? ""
                          : "  " + EnumName(server.state()));
}

class WatchCommand final : public Command {
 public:
  Description Describe() const override {
    return {"watch", "Clusters", "follow the servers of a cluster",
            "First the servers that are there, then one line for each change, "
            "until SIGINT or\nSIGTERM, with --timeout for no longer than that. "
            "A lost connection is taken up again\nwhere it broke off. Fails if "
            "clusterd can't be reached to begin with, or does not\nanswer "
            "within --timeout, else 10s.\n"};
  }

  void Declare(ArgParser& args) override {
    args.Positional("TYPE", "of the service", Text(&type_));
    args.Option("--cluster", "ID", "where a type has several clusters",
                Text(&cluster_id_));
  }

  ExitCode Run(const Context& context) override {
    StopSignal stop;
    const absl::StatusOr<Client> client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());

    std::atomic<bool> heard = false;
    std::string told;
    absl::Status stopped;
    const auto end = [&stopped, &stop](const absl::Status& status) {
      stopped = status;
      stop.Raise();
    };
    WatchOptions options;
    options.request.set_type(type_);
    options.request.set_cluster_id(cluster_id_);
    options.callbacks.on_event = [&](const pb::WatchClusterResponse& event) {
      heard = true;
      told.clear();
      if (context.json) return context.PrintJsonLine(event);
      Print(context, event);
    };
    options.callbacks.on_lost = [&](const absl::Status& status) {
      if (!heard) return end(status);
      context.TellLoss(status, told);
    };
    options.callbacks.on_stopped = end;
    bool ended = false;
    {
      const ClusterWatch watch(*client, std::move(options));
      ended = stop.Wait(context.timeout.value_or(kFirstAnswerTimeout));
      if (!ended && heard && !context.timeout) ended = stop.Wait();
      stop.Release();
    }
    if (!ended && !heard) stopped = absl::DeadlineExceededError("watch");
    return stopped.ok() ? ExitCode::kOk : context.Fail(stopped);
  }

 private:
  static void Print(const Context& context,
                    const pb::WatchClusterResponse& event) {
    const auto line = [&context](const std::string& what,
                                 const std::string& text) {
      context.out << FormatDate(absl::Now()) << "  "
                  << absl::StreamFormat("%-8s", what) << "  " << Printable(text)
                  << std::endl;
    };
    if (event.has_snapshot()) {
      for (const pb::Server& server : event.snapshot().servers()) {
        line("PRESENT", ServerText(server));
      }
      if (event.snapshot().last()) {
        const pb::Cluster& cluster = event.snapshot().cluster();
        const std::string age = AgeText(cluster.membership_age());
        line("SNAPSHOT", absl::StrCat(Counted(cluster.server_count(), "server"),
                                      " in ", cluster.type(), " ", cluster.id(),
                                      age.empty() ? "" : ", ", age));
      }
    } else if (event.has_change()) {
      line(EnumName(event.change().type()),
           ServerText(event.change().server()));
    } else if (event.has_reset()) {
      line("RESET", event.reset().reason());
    }
  }

  std::string type_;
  std::string cluster_id_;
};

}  // namespace

std::unique_ptr<Command> NewWatchCommand() {
  return std::make_unique<WatchCommand>();
}

}  // namespace coord
