#include "common/utf8.h"
#include "server/registry/it_resource.h"
#include "tests/fuzz/must.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view text = coord::Input(data, size);
  if (const auto resource = coord::ParseItResource(text); resource.ok()) {
    coord::Must(coord::IsValidUtf8(resource->identity.type));
    for (const coord::Server& server : resource->servers) {
      coord::Must(coord::IsValidUtf8(server.server_id));
      coord::Must(coord::IsValidUtf8(server.cluster_base_url));
    }
  }
  if (coord::IsValidUtf8(text)) {
    coord::Must(coord::AnsweringServerId(coord::NodeAnswer("[]", text)) ==
                text);
  }
  return 0;
}
