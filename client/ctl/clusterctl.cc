#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/ctl/command.h"
#include "client/ctl/text.h"
#include "common/text_view.h"

namespace coord {
namespace {

constexpr std::string_view kExitCodes =
    "\nExit codes:\n"
    "  0  ok\n"
    "  1  failed\n"
    "  2  bad usage, or a value that clusterd refuses\n"
    "  3  call: some servers did not succeed\n"
    "  4  call: no server succeeded, or there was none to call\n";

constexpr std::size_t kCommandWidth = 10;  // of `unregister`

using Commands = std::vector<std::unique_ptr<Command>>;

Commands AllCommands() {
  Commands commands;
  commands.push_back(NewRegisterCommand());
  commands.push_back(NewKeepAliveCommand());
  commands.push_back(NewDrainCommand());
  commands.push_back(NewUndrainCommand());
  commands.push_back(NewUnregisterCommand());
  commands.push_back(NewStatusCommand());
  commands.push_back(NewClustersCommand());
  commands.push_back(NewServersCommand());
  commands.push_back(NewWatchCommand());
  commands.push_back(NewEvictCommand());
  commands.push_back(NewCallCommand());
  commands.push_back(NewHealthCommand());
  commands.push_back(NewBackupCommand());
  return commands;
}

struct CommonOptions {
  bool help = false;
  bool version = false;
};

void DeclareCommon(ArgParser& args, Context& context, CommonOptions& common) {
  args.Section("Common options");
  args.Option("--address", "HOST[:PORT]",
              "clusterd to talk to; else CLUSTERD_ADDRESS, else 127.0.0.1:7700",
              Text(&context.address));
  args.Option("--tls-ca", "FILE", "talk TLS and trust the CAs in this PEM file",
              Text(&context.tls_ca_file));
  args.Option("--timeout", "DURATION",
              "give up after this; 10s, for call 50s, for backup 10m",
              Interval(&context.timeout));
  args.Flag("--json", "print protobuf's JSON, for programs", &context.json);
  args.Flag("--help", "show this help; -h too", &common.help);
  args.Flag("--version", "show the version", &common.version);
}

std::string Overview(const Commands& commands, const ArgParser& args) {
  std::string text =
      "clusterctl talks to a clusterd: who is registered, who is in a "
      "cluster,\n"
      "and one HTTP request to all of it.\n"
      "\nusage: clusterctl [options] COMMAND ...\n";
  std::vector<std::pair<std::string, std::string>> lines;
  for (std::size_t i = 0; i < commands.size(); ++i) {
    const Command::Description it = commands[i]->Describe();
    lines.emplace_back(it.name, it.summary);
    if (i + 1 < commands.size() &&
        commands[i + 1]->Describe().group == it.group) {
      continue;
    }
    absl::StrAppend(&text, "\n", AbslView(it.group), ":\n",
                    HelpLines(std::exchange(lines, {}), kCommandWidth));
  }
  return absl::StrCat(
      text, args.Help(), AbslView(kExitCodes),
      "\n`clusterctl COMMAND --help` tells more about a command.\n");
}

std::string HelpOf(const Command::Description& command, const ArgParser& args) {
  return absl::StrCat(
      "clusterctl ", AbslView(command.name), ": ", AbslView(command.summary),
      "\n\nusage: clusterctl ", AbslView(command.name), " ", args.Usage(),
      "\n\n", AbslView(command.details), args.Help(), AbslView(kExitCodes));
}

ExitCode BadUsage(std::ostream& err, const std::string& what,
                  std::string_view hint) {
  err << "clusterctl: " << Printable(what) << "\n"
      << "`clusterctl " << hint << "--help` shows what is possible.\n";
  return ExitCode::kBadUsage;
}

ExitCode RunCommand(Command& command, const std::vector<std::string>& args,
                    Context& context, CommonOptions& common) {
  const Command::Description description = command.Describe();
  ArgParser parser;
  command.Declare(parser);
  DeclareCommon(parser, context, common);
  const absl::Status parsed = parser.Parse(args);
  // Help is given even where something else is missing.
  if (common.help) {
    context.out << HelpOf(description, parser);
    return ExitCode::kOk;
  }
  if (!parsed.ok()) {
    return BadUsage(
        context.err,
        absl::StrCat(AbslView(description.name), ": ", parsed.message()),
        absl::StrCat(AbslView(description.name), " "));
  }
  return command.Run(context);
}

// `args` begins with the name of a command.
ExitCode Dispatch(std::vector<std::string> args, Context& context,
                  CommonOptions& common, const Commands& commands) {
  const auto append_name = [](std::string* text, const auto& command) {
    text->append(command->Describe().name);
  };
  const std::string names = absl::StrJoin(commands, ", ", append_name);
  if (args.empty()) {
    return BadUsage(context.err, "no command; commands are " + names, "");
  }
  const std::string name = std::move(args.front());
  args.erase(args.begin());
  for (const std::unique_ptr<Command>& command : commands) {
    if (command->Describe().name == name) {
      return RunCommand(*command, args, context, common);
    }
  }
  return BadUsage(context.err,
                  name + ": unknown command; commands are " + names, "");
}

}  // namespace

ExitCode RunClusterctl(const std::vector<std::string>& args, std::ostream& out,
                       std::ostream& err) {
  Context context{out, err};
  if (const char* address = std::getenv("CLUSTERD_ADDRESS");
      address != nullptr && *address != '\0') {
    context.address = address;
  }
  CommonOptions common;
  ArgParser parser;
  DeclareCommon(parser, context, common);
  absl::StatusOr<std::vector<std::string>> rest = parser.ParseOptions(args);
  if (!rest.ok()) {
    return BadUsage(err, std::string(rest.status().message()), "");
  }
  if (common.version) {
    out << "clusterctl " << COORD_VERSION << "\n";
    return ExitCode::kOk;
  }
  const Commands commands = AllCommands();
  if (common.help || (!rest->empty() && rest->front() == "help")) {
    out << Overview(commands, parser);
    return ExitCode::kOk;
  }
  return Dispatch(*std::move(rest), context, common, commands);
}

}  // namespace coord
