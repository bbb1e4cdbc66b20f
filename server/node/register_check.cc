#include "server/node/register_check.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/url.h"
#include "common/utf8.h"

namespace coord {
namespace {

constexpr std::size_t kMaxLocationBytes = 4096;

// Where the service is, said in exactly one of two ways.
void CheckAddress(const RegisterCommand& command,
                  const RegistrarOptions& options,
                  std::vector<FieldViolation>& violations) {
  const std::string& local = command.local_base_url;
  if (local.empty()) {
    const std::string& given = command.server.cluster_base_url;
    const absl::Status url = ParseBaseUrl(given).status();
    if (!url.ok()) {
      violations.push_back(
          {"server.cluster_base_url",
           absl::StrCat(url.message(),
                        given.empty() ? ", or give a local_base_url" : "")});
    }
    return;
  }
  auto refuse = [&violations](std::string why) {
    violations.push_back({"local_base_url", std::move(why)});
  };
  const absl::StatusOr<BaseUrl> url = ParseBaseUrl(local);
  if (!command.server.cluster_base_url.empty()) {
    refuse("must not be given together with server.cluster_base_url");
  } else if (!url.ok()) {
    refuse(std::string(url.status().message()));
  } else if (options.advertised_address.empty()) {
    refuse(
        "needs the setting --advertise: clusterd's HTTP listener has an "
        "unspecified address, by which no other server reaches it");
  } else if (url->origin.HostHeader() == options.advertised_address) {
    refuse("must not be the address of clusterd itself");
  }
}

}  // namespace

absl::Status CheckRegisterCommand(const RegisterCommand& command,
                                  const RegistrarOptions& options) {
  const Server& server = command.server;
  std::vector<FieldViolation> violations;
  auto require = [&violations](bool rule, const char* field,
                               std::string description) {
    if (!rule) violations.push_back({field, std::move(description)});
  };
  require(IsValidServerType(server.type), "server.type",
          std::string(kServerTypeRule));
  // A session names its server, and a new incarnation may leave the choice to
  // us.
  require(server.server_id.empty() || IsValidServerId(server.server_id),
          "server.server_id", std::string(kServerIdRule));
  CheckAddress(command, options, violations);
  require(server.public_base_url.size() <= kMaxUrlBytes,
          "server.public_base_url", "must be at most 2048 bytes");
  require(!HasControlCharacter(server.public_base_url),
          "server.public_base_url", "must not contain control characters");
  require(server.location_json.size() <= kMaxLocationBytes, "server.location",
          "must be at most 4096 bytes as JSON");
  if (command.ttl) {
    require(*command.ttl >= options.min_ttl && *command.ttl <= options.max_ttl,
            "ttl",
            absl::StrCat("must be from ", absl::FormatDuration(options.min_ttl),
                         " to ", absl::FormatDuration(options.max_ttl)));
  }
  return InvalidFields(violations);
}

}  // namespace coord
