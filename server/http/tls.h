// TLS as the client uses it.
#ifndef SERVER_HTTP_TLS_H_
#define SERVER_HTTP_TLS_H_

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace coord {

// A context that verifies servers by the PEM bundle `ca_file`, or by the
// system's when it is empty; TLS 1.2 and later. Blocks: reading the system's
// takes tens of milliseconds, the first time. Errors: INVALID_ARGUMENT when
// ca_file can't be read.
absl::StatusOr<std::shared_ptr<boost::asio::ssl::context>> ClientTls(
    const std::string& ca_file);

}  // namespace coord

#endif  // SERVER_HTTP_TLS_H_
