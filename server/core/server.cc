#include "server/core/server.h"

namespace coord {

std::size_t BytesOf(const Server& server) {
  return sizeof(Server) + server.type.size() + server.server_id.size() +
         server.cluster_base_url.size() + server.public_base_url.size() +
         server.location_json.size() + server.extra_json.size() +
         server.version.text.size();
}

}  // namespace coord
