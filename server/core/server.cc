#include "server/core/server.h"

#include <algorithm>

namespace coord {

std::size_t BytesOf(const Server& server) {
  return sizeof(Server) + server.type.size() + server.server_id.size() +
         server.cluster_base_url.size() + server.public_base_url.size() +
         server.location_json.size() + server.extra_json.size() +
         server.version.text.size();
}

ServerPtr ClusterSnapshot::Find(std::string_view server_id) const {
  const auto it =
      std::lower_bound(servers.begin(), servers.end(), server_id,
                       [](const ServerPtr& server, std::string_view id) {
                         return server->server_id < id;
                       });
  if (it == servers.end() || (*it)->server_id != server_id) return nullptr;
  return *it;
}

}  // namespace coord
