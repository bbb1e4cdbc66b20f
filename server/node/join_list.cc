#include "server/node/join_list.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "server/registry/it_resource.h"

namespace coord {
namespace {

// The names of the members, quotes, commas and braces.
constexpr std::size_t kLeastServerBytes = 80;

// At most what a server takes in JSON, dates included; escapes aside.
std::size_t JsonBytesOf(const Server& server) {
  return 160 + server.server_id.size() + server.cluster_base_url.size() +
         server.public_base_url.size() + server.location_json.size() +
         server.extra_json.size();
}

bool Fits(const ServerList& servers, std::size_t max_bytes) {
  if (servers.size() > max_bytes / kLeastServerBytes) return false;
  std::size_t bytes = 0;
  for (const ServerPtr& server : servers) bytes += JsonBytesOf(*server);
  return bytes <= max_bytes;
}

// `joined`, then the newest, as many as fit.
std::vector<ServerPtr> Newest(const ClusterSnapshot& cluster,
                              std::string_view joined, std::size_t max_bytes) {
  std::vector<const ServerPtr*> order;
  order.reserve(cluster.servers.size());
  for (const ServerPtr& server : cluster.servers) order.push_back(&server);
  const auto before = [joined](const ServerPtr* a, const ServerPtr* b) {
    const bool a_joined = (*a)->server_id == joined;
    const bool b_joined = (*b)->server_id == joined;
    if (a_joined != b_joined) return a_joined;
    return (*a)->update_time > (*b)->update_time;
  };
  const auto most = std::min(order.size(), max_bytes / kLeastServerBytes + 1);
  const auto end = order.begin() + static_cast<std::ptrdiff_t>(most);
  std::partial_sort(order.begin(), end, order.end(), before);

  std::vector<ServerPtr> newest;
  std::size_t bytes = 0;
  for (auto it = order.begin(); it != end; ++it) {
    bytes += JsonBytesOf(***it);
    if (bytes > max_bytes && !newest.empty()) break;
    newest.push_back(**it);
  }
  return newest;
}

}  // namespace

JoinList::JoinList(const ClusterSnapshot& cluster, std::string_view joined,
                   std::size_t max_bytes)
    : whole_(Fits(cluster.servers, max_bytes)) {
  if (whole_) {
    json_ = ItResourceJson(cluster);
    return;
  }
  const std::vector<ServerPtr> told = Newest(cluster, joined, max_bytes);
  json_ = ItResourceJson(cluster.identity, told);
  for (const ServerPtr& server : told) servers_.insert(server->server_id);
}

}  // namespace coord
