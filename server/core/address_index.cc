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
  ByAddress::value_type& place =
      *servers_.try_emplace(AddressOf(*server)).first;
  places_.emplace(server.get(), &place);
  place.second.push_back(std::move(server));
  if (place.second.size() == 2) shared_.insert(place.first);
}

void AddressIndex::Remove(const ServerPtr& server) {
  const auto it = places_.find(server.get());
  auto& [address, there] = *it->second;
  places_.erase(it);
  there.erase(std::find(there.begin(), there.end(), server));
  if (there.size() == 1) shared_.erase(address);
  if (there.empty()) servers_.erase(servers_.find(address));
}

void AddressIndex::Replace(const ServerPtr& server, ServerPtr newer) {
  if (newer->cluster_base_url != server->cluster_base_url) {
    Remove(server);
    Add(std::move(newer));
    return;
  }
  const auto it = places_.find(server.get());
  ByAddress::value_type* const place = it->second;
  places_.erase(it);
  places_.emplace(newer.get(), place);
  *std::find(place->second.begin(), place->second.end(), server) =
      std::move(newer);
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
