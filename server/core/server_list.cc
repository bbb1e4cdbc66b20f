#include "server/core/server_list.h"

#include <algorithm>
#include <utility>

#include "server/core/server.h"

namespace coord {
namespace {

bool IsBefore(const ServerPtr& server, std::string_view id) {
  return server->server_id < id;
}

}  // namespace

ServerList::ServerList(const ServerList& other)
    : chunks_(other.chunks_), size_(other.size_) {
  for (const std::shared_ptr<Chunk>& chunk : chunks_) {
    // Whoever has a copy may be reading one that was shared before.
    if (!chunk->shared) chunk->shared = true;
  }
}

ServerList& ServerList::operator=(const ServerList& other) {
  ServerList copy(other);
  chunks_.swap(copy.chunks_);
  size_ = copy.size_;
  return *this;
}

ServerList::Place ServerList::PlaceOf(std::string_view server_id) const {
  // The first chunk that does not end before it, else the last one.
  auto chunk = std::partition_point(
      chunks_.begin(), chunks_.end(), [server_id](const auto& each) {
        return IsBefore(each->servers.back(), server_id);
      });
  if (chunk == chunks_.end()) --chunk;
  const std::vector<ServerPtr>& servers = (*chunk)->servers;
  const auto it =
      std::lower_bound(servers.begin(), servers.end(), server_id, IsBefore);
  return {static_cast<std::size_t>(chunk - chunks_.begin()),
          static_cast<std::size_t>(it - servers.begin())};
}

bool ServerList::IsAt(const Place& place, std::string_view server_id) const {
  const std::vector<ServerPtr>& servers = chunks_[place.chunk]->servers;
  return place.index < servers.size() &&
         servers[place.index]->server_id == server_id;
}

std::vector<ServerPtr>& ServerList::Own(std::size_t chunk) {
  std::shared_ptr<Chunk>& own = chunks_[chunk];
  if (own->shared) own = std::make_shared<Chunk>(Chunk{own->servers});
  return own->servers;
}

void ServerList::Put(ServerPtr server) {
  if (chunks_.empty()) {
    chunks_.push_back(std::make_shared<Chunk>());
    chunks_.back()->servers.push_back(std::move(server));
    size_ = 1;
    return;
  }
  const Place place = PlaceOf(server->server_id);
  std::vector<ServerPtr>& servers = Own(place.chunk);
  const auto at = servers.begin() + static_cast<std::ptrdiff_t>(place.index);
  if (IsAt(place, server->server_id)) {
    *at = std::move(server);
    return;
  }
  servers.insert(at, std::move(server));
  ++size_;
  if (servers.size() <= kChunk) return;
  // What is put in order keeps the first half full.
  const bool at_end =
      place.chunk + 1 == chunks_.size() && place.index + 1 == servers.size();
  const auto half = servers.begin() + static_cast<std::ptrdiff_t>(
                                          at_end ? kChunk : servers.size() / 2);
  auto rest = std::make_shared<Chunk>();
  rest->servers.assign(std::make_move_iterator(half),
                       std::make_move_iterator(servers.end()));
  servers.erase(half, servers.end());
  chunks_.insert(chunks_.begin() + static_cast<std::ptrdiff_t>(place.chunk) + 1,
                 std::move(rest));
}

void ServerList::Erase(std::string_view server_id) {
  if (chunks_.empty()) return;
  const Place place = PlaceOf(server_id);
  if (!IsAt(place, server_id)) return;
  std::vector<ServerPtr>& servers = Own(place.chunk);
  servers.erase(servers.begin() + static_cast<std::ptrdiff_t>(place.index));
  --size_;
  if (!servers.empty()) return;
  chunks_.erase(chunks_.begin() + static_cast<std::ptrdiff_t>(place.chunk));
}

ServerList::const_iterator ServerList::After(std::string_view server_id) const {
  if (chunks_.empty()) return end();
  const Place place = PlaceOf(server_id);
  const_iterator it(chunks_.data() + place.chunk, place.index);
  if (place.index == chunks_[place.chunk]->servers.size()) return end();
  return IsAt(place, server_id) ? ++it : it;
}

ServerPtr ServerList::Find(std::string_view server_id) const {
  if (chunks_.empty()) return nullptr;
  const Place place = PlaceOf(server_id);
  return IsAt(place, server_id) ? chunks_[place.chunk]->servers[place.index]
                                : nullptr;
}

}  // namespace coord
