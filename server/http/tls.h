// TLS as the client uses it.
#ifndef SERVER_HTTP_TLS_H_
#define SERVER_HTTP_TLS_H_

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/http/stream.h"

namespace coord {

// A context that verifies servers by the PEM bundle `ca_file`, or by the
// system's when it is empty; TLS 1.2 and later. Blocks: reading the system's
// takes tens of milliseconds, the first time. Errors: INVALID_ARGUMENT when
// ca_file can't be read.
absl::StatusOr<std::shared_ptr<boost::asio::ssl::context>> ClientTls(
    const std::string& ca_file);

// Makes the handshake of `stream` with the server `host`, a name or an address,
// ask for and verify that one. A last dot, which marks a name as complete for
// DNS, is no part of it (RFC 6066, 3). When the certificate is refused, `fault`
// gets the cause (`it expired at …`). Errors: INTERNAL.
absl::Status ExpectServer(Stream::Tls& stream, std::string_view host,
                          std::shared_ptr<std::string> fault);

// Whether a byte has come from the other side, of whatever it speaks.
bool WasHeard(Stream::Tls& stream);

}  // namespace coord

#endif  // SERVER_HTTP_TLS_H_
