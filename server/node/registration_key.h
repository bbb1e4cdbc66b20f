// What tells the registrations of this process apart.
#ifndef SERVER_NODE_REGISTRATION_KEY_H_
#define SERVER_NODE_REGISTRATION_KEY_H_

#include <string>
#include <tuple>

#include "server/core/server.h"

namespace coord {

// In the order of lists.
struct RegistrationKey {
  std::string type;
  std::string server_id;
  std::string public_base_url;

  static RegistrationKey Of(const Server& server) {
    return {server.type, server.server_id, server.public_base_url};
  }
  friend bool operator==(const RegistrationKey&,
                         const RegistrationKey&) = default;
  friend bool operator<(const RegistrationKey& a, const RegistrationKey& b) {
    return std::tie(a.type, a.server_id, a.public_base_url) <
           std::tie(b.type, b.server_id, b.public_base_url);
  }
};

}  // namespace coord

#endif  // SERVER_NODE_REGISTRATION_KEY_H_
