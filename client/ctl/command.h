// What every command of clusterctl has in common.
#ifndef CLIENT_CTL_COMMAND_H_
#define CLIENT_CTL_COMMAND_H_

#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cpp/client.h"
#include "client/ctl/args.h"
#include "google/protobuf/message.h"

namespace coord {

enum class ExitCode {
  kOk = 0,
  kFailed = 1,
  kBadUsage = 2,  // also what clusterd refuses as INVALID_ARGUMENT
  kPartialAnswer = 3,
  kNoAnswer = 4,
};

// Where a command writes, and the options that every command takes.
struct Context {
  std::ostream& out;
  std::ostream& err;
  std::string address = "127.0.0.1:7700";
  std::string tls_ca_file;
  bool json = false;
  std::optional<absl::Duration> timeout;

  absl::StatusOr<Client> Connect() const;

  // Writes the error and says how to exit. A clusterd that was not reached or
  // did not answer is named by its address.
  ExitCode Fail(const absl::Status& status) const;

  // Writes that something was lost and is tried again, unless `told` says that
  // these were the last words.
  void TellLoss(const absl::Status& status, std::string& told) const;

  // The whole message as protobuf's JSON, on many lines.
  void PrintJson(const google::protobuf::Message& message) const;
  // The same on one line, for streams.
  void PrintJsonLine(const google::protobuf::Message& message) const;
};

class Command {
 public:
  struct Description {
    std::string_view name;
    std::string_view group;    // heading in the overview
    std::string_view summary;  // one line
    std::string_view details;  // lines for its own help, examples included
  };

  virtual ~Command() = default;

  virtual Description Describe() const = 0;
  // Declares arguments and options.
  virtual void Declare(ArgParser& args) = 0;
  // Parsed well; does what the command is for.
  virtual ExitCode Run(const Context& context) = 0;
};

std::unique_ptr<Command> NewRegisterCommand();
std::unique_ptr<Command> NewKeepAliveCommand();
std::unique_ptr<Command> NewDrainCommand();
std::unique_ptr<Command> NewUndrainCommand();
std::unique_ptr<Command> NewUnregisterCommand();
std::unique_ptr<Command> NewEvictCommand();
std::unique_ptr<Command> NewStatusCommand();
std::unique_ptr<Command> NewClustersCommand();
std::unique_ptr<Command> NewServersCommand();
std::unique_ptr<Command> NewWatchCommand();
std::unique_ptr<Command> NewCallCommand();
std::unique_ptr<Command> NewHealthCommand();
std::unique_ptr<Command> NewBackupCommand();

// The whole program: `args` without its name.
ExitCode RunClusterctl(const std::vector<std::string>& args, std::ostream& out,
                       std::ostream& err);

}  // namespace coord

#endif  // CLIENT_CTL_COMMAND_H_
