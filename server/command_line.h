// What clusterd does to its arguments and environment before CLI11 reads them.
#ifndef SERVER_COMMAND_LINE_H_
#define SERVER_COMMAND_LINE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace CLI {
class App;
}  // namespace CLI

namespace coord {

// The arguments of a program, without its name, as `app` is to have them: each
// setting in `--kebab-case` (`--snake_case` is taken for the same), its value
// in an argument of its own. Left to itself CLI11 takes what follows `--flag=`
// for the value, and another flag for that of `--flag --other`. Errors:
// INVALID_ARGUMENT, naming a setting without a value; one that looks like a
// flag must follow `=`.
absl::StatusOr<std::vector<std::string>> NormalArguments(
    const CLI::App& app, const std::vector<std::string>& arguments);

// A variable that has the name of a setting's and is not meant for it:
// Kubernetes tells each pod where a service called `server` is by
// SERVER_PORT=tcp://10.43.0.17:8080.
struct ServiceLink {
  std::string variable;
  std::string value;
  std::string flag;  // of the setting
};

// Finds these and keeps `app` from reading them.
std::vector<ServiceLink> LeaveServiceLinks(CLI::App& app);

}  // namespace coord

#endif  // SERVER_COMMAND_LINE_H_
