#include "server/node/register_check.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/url.h"

namespace coord {
namespace {

constexpr std::size_t kMaxUrlBytes = 2048;
constexpr std::size_t kMaxLocationBytes = 4096;

bool HasControlCharacter(const std::string& text) {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return c < 0x20 || c == 0x7f; });
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
  const absl::Status url = ParseBaseUrl(server.cluster_base_url).status();
  require(url.ok(), "server.cluster_base_url", std::string(url.message()));
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
