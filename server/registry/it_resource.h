// The JSON that clusters speak: itResource, server records, node answers.
#ifndef SERVER_REGISTRY_IT_RESOURCE_H_
#define SERVER_REGISTRY_IT_RESOURCE_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/core/server.h"

namespace boost::json {
class value;
}

namespace coord {

struct ItResource {
  ClusterIdentity identity;
  std::vector<Server> servers;
};

// Reads an itResource as a peer sends it or an authority answers it, which
// tells of no server whether it serves the node API. Dates that are no dates
// are the oldest. Members we know nothing of are kept in Server::extra_json. At
// most 1 MiB and 32 levels. Errors: INVALID_ARGUMENT, naming the member that is
// wrong.
absl::StatusOr<ItResource> ParseItResource(std::string_view json);
// The same for a part of a larger document.
absl::StatusOr<ItResource> ReadItResource(const boost::json::value& value);
// One of its servers, called `name` in errors.
absl::StatusOr<Server> ReadServerRecord(const boost::json::value& value,
                                        const ClusterIdentity& cluster,
                                        const std::string& name);

// Reads what a server registers itself with at an authority: `{"type",
// "serverId","clusterBaseUrl","publicBaseUrl","location"}`, and members we know
// nothing of. At most 16 KiB. Errors: INVALID_ARGUMENT, naming the member that
// is wrong.
absl::StatusOr<Server> ParseRegistration(std::string_view json);

// `{"id","type","publicBaseUrl","servers":[…]}`.
std::string ItResourceJson(const ClusterSnapshot& cluster);
// The same with a part of the servers.
std::string ItResourceJson(const ClusterIdentity& identity,
                           const std::vector<ServerPtr>& servers);
// One of its servers.
std::string ServerJson(const Server& server);

// `{"data":<data_json>,"server":{"serverId":"<id>"}}`.
std::string NodeAnswer(std::string_view data_json, std::string_view server_id);

// The inverse: `server.serverId`; empty when the answer names none.
std::string AnsweringServerId(std::string_view answer);

// A string as JSON, quotes included.
std::string JsonString(std::string_view text);

}  // namespace coord

#endif  // SERVER_REGISTRY_IT_RESOURCE_H_
