// The servers of a cluster in the order of their ids, so that a copy of many is
// cheap.
#ifndef SERVER_CORE_SERVER_LIST_H_
#define SERVER_CORE_SERVER_LIST_H_

#include <cstddef>
#include <iterator>
#include <memory>
#include <string_view>
#include <vector>

namespace coord {

struct Server;
using ServerPtr = std::shared_ptr<const Server>;

// Kept in chunks that copies share: a copy of 100,000 servers takes a few
// hundred references, and a change after it copies one chunk. A copy never
// changes; so threads may read copies while one of them changes the original.
class ServerList {
 public:
  static constexpr std::size_t kChunk = 256;  // servers in a chunk, at the most

  class const_iterator;
  using value_type = ServerPtr;
  using const_reference = const ServerPtr&;
  using size_type = std::size_t;
  using difference_type = std::ptrdiff_t;
  using iterator = const_iterator;

  ServerList() = default;
  ServerList(const ServerList& other);
  ServerList& operator=(const ServerList& other);
  ~ServerList() = default;

  // Inserts `server`, or replaces the one with its server_id.
  void Put(ServerPtr server);
  // Absent: nothing.
  void Erase(std::string_view server_id);

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const_iterator begin() const;
  const_iterator end() const;
  // The first one behind `server_id`, which need not be in the list.
  // Logarithmic, as Find.
  const_iterator After(std::string_view server_id) const;
  // nullptr: there is none.
  ServerPtr Find(std::string_view server_id) const;

 private:
  struct Chunk {
    std::vector<ServerPtr> servers;  // never empty
    bool shared = false;             // with a copy: never changed again
  };
  struct Place {
    std::size_t chunk;
    std::size_t index;
  };

  // Where `server_id` is or would be put; the end of the last chunk if it comes
  // after all. There must be a chunk.
  Place PlaceOf(std::string_view server_id) const;
  bool IsAt(const Place& place, std::string_view server_id) const;
  // The chunk, to be changed.
  std::vector<ServerPtr>& Own(std::size_t chunk);

  std::vector<std::shared_ptr<Chunk>> chunks_;
  std::size_t size_ = 0;
};

// Valid until its list changes.
class ServerList::const_iterator {
 public:
  using iterator_category = std::forward_iterator_tag;
  using value_type = ServerPtr;
  using difference_type = std::ptrdiff_t;
  using pointer = const ServerPtr*;
  using reference = const ServerPtr&;

  const_iterator() = default;
  reference operator*() const { return (*chunk_)->servers[index_]; }
  pointer operator->() const { return &**this; }
  const_iterator& operator++() {
    if (++index_ == (*chunk_)->servers.size()) {
      ++chunk_;
      index_ = 0;
    }
    return *this;
  }
  const_iterator operator++(int) {
    const_iterator before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const const_iterator&,
                         const const_iterator&) = default;

 private:
  friend class ServerList;
  const_iterator(const std::shared_ptr<Chunk>* chunk, std::size_t index)
      : chunk_(chunk), index_(index) {}

  const std::shared_ptr<Chunk>* chunk_ = nullptr;
  std::size_t index_ = 0;
};

inline ServerList::const_iterator ServerList::begin() const {
  return {chunks_.data(), 0};
}

inline ServerList::const_iterator ServerList::end() const {
  return {chunks_.data() + chunks_.size(), 0};
}

}  // namespace coord

#endif  // SERVER_CORE_SERVER_LIST_H_
