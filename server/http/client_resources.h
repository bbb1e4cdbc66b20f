// What the HTTP clients of a process share.
#ifndef SERVER_HTTP_CLIENT_RESOURCES_H_
#define SERVER_HTTP_CLIENT_RESOURCES_H_

#include "server/http/name_resolver.h"
#include "server/http/socket_budget.h"

namespace coord {

// Both are thread-safe and outlive the loops of the clients. The resolver is
// stopped before those are destroyed.
struct ClientResources {
  NameResolver& names;
  SocketBudget& sockets;
};

}  // namespace coord

#endif  // SERVER_HTTP_CLIENT_RESOURCES_H_
