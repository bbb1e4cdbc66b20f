// Which servers of a cluster share an address.
#ifndef SERVER_CORE_ADDRESS_INDEX_H_
#define SERVER_CORE_ADDRESS_INDEX_H_

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "server/core/server.h"

namespace coord {

// One text for each address, however it was written.
std::string AddressOf(const Server& server);

// Reads the address of each record once, when it is added. Not thread-safe.
class AddressIndex {
 public:
  void Add(ServerPtr server);
  // One that was added, the very record.
  void Remove(const ServerPtr& server);

  // Two records with one address can't both be true: the servers that share the
  // address of a newer record. Costs as much as there are shared addresses, not
  // servers.
  std::vector<ServerPtr> Older() const;

 private:
  // By address, at which there is one as a rule.
  absl::flat_hash_map<std::string, absl::InlinedVector<ServerPtr, 1>> servers_;
  absl::flat_hash_set<std::string> shared_;  // addresses of several
};

}  // namespace coord

#endif  // SERVER_CORE_ADDRESS_INDEX_H_
