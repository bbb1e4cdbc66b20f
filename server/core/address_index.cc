#include "server/core/address_index.h"

#include <algorithm>
#include <utility>

#include "common/url.h"

namespace coord {

std::string AddressOf(const Server& server) {
  const absl::StatusOr<BaseUrl> url = ParseBaseUrl(server.cluster_base_url);
  return url.ok() ? url->ToString() : server.cluster_base_url;
}

void AddressIndex::Add(ServerPtr server) {
  std::string address = AddressOf(*server);
  auto& there = servers_[address];
  there.push_back(std::move(server));
  if (there.size() == 2) shared_.insert(std::move(address));
}

void AddressIndex::Remove(const ServerPtr& server) {
  const auto it = servers_.find(AddressOf(*server));
  auto& there = it->second;
  there.erase(std::find(there.begin(), there.end(), server));
  if (there.size() == 1) shared_.erase(it->first);
  if (there.empty()) servers_.erase(it);
}

std::vector<ServerPtr> AddressIndex::Older() const {
  std::vector<ServerPtr> older;
  for (const std::string& address : shared_) {
    const auto& there = servers_.at(address);
    const ServerPtr& newest = *std::max_element(
        there.begin(), there.end(), [](const auto& a, const auto& b) {
          return a->update_time < b->update_time;
        });
    for (const ServerPtr& server : there) {
      if (server->update_time < newest->update_time) older.push_back(server);
    }
  }
  std::sort(older.begin(), older.end(), [](const auto& a, const auto& b) {
    return a->server_id < b->server_id;
  });
  return older;
}

}  // namespace coord
