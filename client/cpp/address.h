// Where a clusterd is, as people write it.
#ifndef CLIENT_CPP_ADDRESS_H_
#define CLIENT_CPP_ADDRESS_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace coord {

// What gRPC connects to for `HOST[:PORT]`, 7700 where no port is given: gRPC
// would take 443. HOST is a name, an IPv4 address, or an IPv6 address, which
// needs brackets if a port follows. `unix:PATH` and gRPC's other names with a
// scheme (`dns:`, `ipv4:`, `ipv6:`, `unix-abstract:`) are taken as they are.
// Errors: INVALID_ARGUMENT, for example `connect to "http://a": is not
// HOST[:PORT] or unix:PATH`.
absl::StatusOr<std::string> GrpcTarget(std::string_view address);

}  // namespace coord

#endif  // CLIENT_CPP_ADDRESS_H_
