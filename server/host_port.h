// `HOST:PORT`, as listeners are told where to listen.
#ifndef SERVER_HOST_PORT_H_
#define SERVER_HOST_PORT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace coord {

struct HostPort {
  std::string host;  // IPv6 without brackets
  std::uint16_t port = 0;
};

// Parses `127.0.0.1:7700`, `localhost:0`, `[::1]:7700`. Errors:
// INVALID_ARGUMENT; the message goes after the text that was wrong.
absl::StatusOr<HostPort> ParseHostPort(std::string_view text);

// Whether `text` is `ADDRESS[:PORT],…`, each address of IPv4 or IPv6 and no
// name, in brackets where it is IPv6 and has a port.
bool IsAddressList(const std::string& text);

// Whether `text` is `HOST` or `HOST:PORT`, fit for a URL, and names a machine:
// not 0.0.0.0, not [::]. A bare IPv6 address needs no brackets.
bool IsReachableAddress(const std::string& text);

// Where others reach a listener on `effective` (`HOST:PORT`): at `advertised`,
// with the listener's port unless it says one; if that is empty, at `effective`
// itself. As Host headers have it; empty when that is no reachable address.
std::string AdvertisedAddress(const std::string& advertised,
                              const std::string& effective);

}  // namespace coord

#endif  // SERVER_HOST_PORT_H_
