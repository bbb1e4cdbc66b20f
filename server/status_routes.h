// What the HTTP listener tells about the process itself.
#ifndef SERVER_STATUS_ROUTES_H_
#define SERVER_STATUS_ROUTES_H_

#include <functional>
#include <string>

#include "server/http/router.h"

namespace coord {

// `/healthz`, `/readyz` and `/metrics`. Both functions are called where
// requests are handled.
void AddStatusRoutes(Router& router, std::function<bool()> ready,
                     std::function<std::string()> metrics);

}  // namespace coord

#endif  // SERVER_STATUS_ROUTES_H_
