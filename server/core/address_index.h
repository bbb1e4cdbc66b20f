// Which servers of a cluster share an address.
#ifndef SERVER_CORE_ADDRESS_INDEX_H_
#define SERVER_CORE_ADDRESS_INDEX_H_

#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "server/core/server.h"

namespace coord {

// One text for each address, however it was written.
std::string AddressOf(const Server& server);

// Reads the address of a record once, when it comes. Not thread-safe.
class AddressIndex {
 public:
  void Add(ServerPtr server);
  // One that was added, the very record.
  void Remove(const ServerPtr& server);
  // The same, for a newer record of it. Reads no address where the URL is as it
  // was.
  void Replace(const ServerPtr& server, ServerPtr newer);

  // Two records with one address can't both be true: the servers that share the
  // address of a newer record. Costs as much as there are shared addresses, not
  // servers.
  std::vector<ServerPtr> Older() const;

 private:
  // At one address, where there is one as a rule.
  using Neighbours = absl::InlinedVector<ServerPtr, 1>;
  using ByAddress = std::map<std::string, Neighbours>;

  ByAddress servers_;
  absl::flat_hash_map<const Server*, ByAddress::value_type*> places_;
  absl::flat_hash_set<std::string> shared_;  // addresses of several
};

}  // namespace coord

#endif  // SERVER_CORE_ADDRESS_INDEX_H_
