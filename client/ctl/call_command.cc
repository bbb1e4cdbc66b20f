#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/cpp/proto_time.h"
#include "client/ctl/call_output.h"
#include "client/ctl/command.h"
#include "common/error.h"
#include "common/text_view.h"

namespace coord {
namespace {

// As long as clusterd gives a call without a deadline.
constexpr absl::Duration kCallTimeout = absl::Seconds(50);

// `best_effort`, `all`, `majority`, `first=N`, `at_least=N`.
ValueParser Policy(pb::CompletionPolicy* policy) {
  return [policy](std::string_view text) {
    const std::size_t equals = text.find('=');
    const std::string_view kind = text.substr(0, equals);
    int count = 0;
    const bool counts =
        equals != std::string_view::npos &&
        absl::SimpleAtoi(AbslView(text.substr(equals + 1)), &count) &&
        count > 0;
    if (text == "best_effort") {
      policy->mutable_best_effort();
    } else if (text == "all") {
      policy->mutable_all();
    } else if (text == "majority") {
      policy->mutable_majority();
    } else if (kind == "first" && counts) {
      policy->set_first(count);
    } else if (kind == "at_least" && counts) {
      policy->set_at_least(count);
    } else {
      return absl::InvalidArgumentError(absl::StrCat(
          "\"", AbslView(text),
          "\" is not allowed; use best_effort, all, majority, first=N or "
          "at_least=N, N at least 1"));
    }
    return absl::OkStatus();
  };
}

// A duration, or `p95`: as each server answered lately.
ValueParser Hedge(pb::FanOutRequest* request) {
  return [request](std::string_view text) {
    pb::HedgePolicy& hedge = *request->mutable_hedge();
    if (text == "p95") return absl::OkStatus();
    const absl::StatusOr<absl::Duration> delay = ParseInterval(text);
    if (!delay.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(delay.status().message(), ", or p95"));
    }
    *hedge.mutable_delay() = ToProto(*delay);
    return absl::OkStatus();
  };
}

// `name: value`.
ValueParser HeaderList(pb::HttpCall* call) {
  return [call](std::string_view text) {
    const std::size_t colon = text.find(':');
    if (colon == 0 || colon == std::string_view::npos) {
      return absl::InvalidArgumentError(absl::StrCat(
          "\"", AbslView(text), "\" is no header; write 'name: value'"));
    }
    pb::Header& header = *call->add_headers();
    header.set_name(std::string(text.substr(0, colon)));
    header.set_value(std::string(
        StdView(absl::StripAsciiWhitespace(AbslView(text.substr(colon + 1))))));
    return absl::OkStatus();
  };
}

// The text itself, or what is in the file after an `@`.
ValueParser Body(pb::HttpCall* call) {
  return [call](std::string_view text) {
    if (!text.starts_with('@')) {
      call->set_body(std::string(text));
      return absl::OkStatus();
    }
    const std::string path(text.substr(1));
    std::ostringstream content;
    if (path == "-") {
      content << std::cin.rdbuf();
    } else {
      const std::ifstream file(path, std::ios::binary);
      if (!file || !(content << file.rdbuf())) {
        return absl::InvalidArgumentError(
            absl::StrCat("\"", path, "\" cannot be read, or is empty"));
      }
    }
    call->set_body(std::move(content).str());
    return absl::OkStatus();
  };
}

class CallCommand final : public Command {
 public:
  Description Describe() const override {
    return {
        "call", "Clusters", "send one HTTP request to every server",
        "Prints the verdict, one line for each node, and the data of all. With "
        "--policy the\ncommand succeeds when that policy is met, without it "
        "when every node succeeded.\nWhere fewer servers are expected than "
        "--min-expected says, nothing is sent and it\nexits with 4; so it does "
        "when there is nobody to call, unless that is 0.\n\n"
        "  clusterctl call orders GET /stats\n"
        "  clusterctl call orders POST /cache/flush --data '{\"key\":7}' "
        "--policy majority\n"
        "  clusterctl call orders GET '/find?id=7' --policy first=1 "
        "--stream\n"};
  }

  void Declare(ArgParser& args) override {
    args.Positional("TYPE", "of the service", Text(request_.mutable_type()));
    args.Positional("METHOD", "of HTTP, such as GET; sent in upper case",
                    Text(http().mutable_method()));
    args.Positional("PATH", "from / on; a query may follow after ?",
                    Text(&path_));
    args.Section("The request");
    args.Option("--header", "'NAME: VALUE'", "may be repeated",
                HeaderList(&http()));
    args.Option("--data", "TEXT|@FILE", "the body; @- is standard input",
                Body(&http()));
    args.Section("Who is called");
    args.Option("--cluster", "ID", "where a type has several clusters",
                Text(request_.mutable_cluster_id()));
    args.Option("--origin", "ID", "calls on behalf of this server, not it",
                Text(request_.mutable_origin_server_id()));
    args.Option("--server", "ID", "only this one; may be repeated",
                TextList(&server_ids_));
    args.Option("--min-expected", "N",
                "with fewer servers nothing is sent; 1 if not said",
                Number(0, 1'000'000'000, &min_expected_));
    args.Section("When it is done");
    args.Option("--policy", "POLICY",
                "best_effort, all, majority, first=N or at_least=N",
                Policy(request_.mutable_policy()));
    args.Option("--attempt-timeout", "DURATION", "for one try at one server",
                Interval(&attempt_timeout_));
    args.Option("--attempts", "N", "tries at one server, 3 if not said",
                Number(1, 10, &attempts_));
    args.Option("--hedge", "DURATION|p95",
                "then a second request to who has not answered",
                Hedge(&request_));
    args.Option("--idempotent", "yes|no",
                "whether a repetition does no harm; else by the method",
                OneOf({"no", "yes"}, &idempotent_));
    args.Option("--concurrency", "N", "servers called at the same time",
                Number(1, 1'000'000, &concurrency_));
    args.Section("The answer");
    args.Flag("--stream", "print outcomes as they arrive", &stream_);
    args.Option("--bodies", "all|none",
                "which bodies to return; else those that are not in the data",
                OneOf({"all", "none"}, &bodies_));
    args.Option("--max-answer-bytes", "N", "3 MiB if not said",
                Number(1, std::int64_t{1} << 40, &max_answer_bytes_));
    args.Option("--customer", "NAME", "for the token service",
                Text(request_.mutable_customer_name()));
  }

  ExitCode Run(const Context& context) override {
    Complete();
    const absl::StatusOr<Client> client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    const CallOptions options{.timeout =
                                  context.timeout.value_or(kCallTimeout)};
    return stream_ ? Stream(context, *client, options)
                   : Unary(context, *client, options);
  }

 private:
  static constexpr std::size_t kNotSaid = -1;

  pb::HttpCall& http() { return *request_.mutable_http(); }

  // Moves what was parsed aside into the request.
  void Complete() {
    const std::size_t question = path_.find('?');
    // Methods in lower case are other methods, which nobody means.
    absl::AsciiStrToUpper(http().mutable_method());
    http().set_path(path_.substr(0, question));
    if (question != std::string::npos) {
      http().set_query(path_.substr(question + 1));
    }
    for (const std::string& id : server_ids_) {
      request_.mutable_selection()->add_server_ids(id);
    }
    policy_named_ =
        request_.policy().kind_case() != pb::CompletionPolicy::KIND_NOT_SET &&
        !request_.policy().has_best_effort();
    if (attempt_timeout_.has_value()) {
      *request_.mutable_attempt_timeout() = ToProto(*attempt_timeout_);
    }
    if (attempts_ > 0) {
      request_.mutable_retry()->set_max_attempts(static_cast<int>(attempts_));
    }
    if (idempotent_ != kNotSaid) request_.set_idempotent(idempotent_ == 1);
    request_.set_min_expected(static_cast<int>(min_expected_));
    request_.set_max_concurrency(static_cast<int>(concurrency_));
    request_.set_max_answer_bytes(max_answer_bytes_);
    if (bodies_ != kNotSaid) {
      request_.set_body_view(bodies_ == 0 ? pb::BODY_VIEW_ALL
                                          : pb::BODY_VIEW_NONE);
    }
  }

  ExitCode Unary(const Context& context, const Client& client,
                 const CallOptions& options) const {
    const auto response = client.FanOut(request_, options);
    if (!response.ok()) return Refused(context, response.status());
    if (context.json) {
      context.PrintJson(*response);
    } else {
      context.out << ResponseText(*response);
    }
    return Exit(*response);
  }

  ExitCode Stream(const Context& context, const Client& client,
                  const CallOptions& options) const {
    pb::FanOutSummary summary;
    const absl::Status status = client.StreamFanOut(
        request_,
        [&](const pb::StreamFanOutResponse& event) {
          if (event.has_summary()) summary = event.summary();
          if (context.json) {
            context.PrintJsonLine(event);
          } else {
            context.out << EventText(event) << std::flush;
          }
        },
        options);
    if (!status.ok()) return Refused(context, status);
    return Exit(summary);
  }

  // Too few servers are no failure of the command: it has no answer to give.
  static ExitCode Refused(const Context& context, const absl::Status& status) {
    const ExitCode code = context.Fail(status);
    return HasReason(status, Reason::kTooFewServers) ? ExitCode::kNoAnswer
                                                     : code;
  }

  // Of a FanOutResponse or a FanOutSummary.
  template <typename Message>
  ExitCode Exit(const Message& message) const {
    if (min_expected_ > 0 && CalledNobody(message)) return ExitCode::kNoAnswer;
    return CallExitCode(message.verdict(), policy_named_, message.policy_met());
  }

  pb::FanOutRequest request_;
  std::string path_;
  std::vector<std::string> server_ids_;
  std::optional<absl::Duration> attempt_timeout_;
  std::int64_t attempts_ = 0;
  std::size_t idempotent_ = kNotSaid;
  std::int64_t concurrency_ = 0;
  std::int64_t max_answer_bytes_ = 0;
  std::int64_t min_expected_ = 1;
  std::size_t bodies_ = kNotSaid;
  bool stream_ = false;
  bool policy_named_ = false;
};

}  // namespace

std::unique_ptr<Command> NewCallCommand() {
  return std::make_unique<CallCommand>();
}

}  // namespace coord
