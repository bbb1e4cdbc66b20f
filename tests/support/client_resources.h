// What the HTTP clients of a test share: a resolver and all sockets they want.
#ifndef TESTS_SUPPORT_CLIENT_RESOURCES_H_
#define TESTS_SUPPORT_CLIENT_RESOURCES_H_

#include <cstddef>
#include <limits>
#include <memory>
#include <utility>

#include "server/http/client_resources.h"

namespace coord {

// Stopped before the loops of the clients are destroyed, and destroyed after
// them.
class TestResources {
 public:
  explicit TestResources(
      NameResolverOptions names = {},
      std::size_t sockets = std::numeric_limits<std::size_t>::max())
      : names_(*NameResolver::Create(std::move(names))), sockets_(sockets) {}

  void Stop() { names_->Stop(); }

  ClientResources get() { return {*names_, sockets_}; }

 private:
  std::unique_ptr<NameResolver> names_;
  SocketBudget sockets_;
};

}  // namespace coord

#endif  // TESTS_SUPPORT_CLIENT_RESOURCES_H_
