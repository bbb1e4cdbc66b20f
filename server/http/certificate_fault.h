// Why a server's certificate was refused, in words.
#ifndef SERVER_HTTP_CERTIFICATE_FAULT_H_
#define SERVER_HTTP_CERTIFICATE_FAULT_H_

#include <openssl/x509.h>

#include <string>
#include <string_view>

namespace coord {

// What `context` found wrong with the certificate of `host` or with one above
// it: `it expired at Nov 27 12:00:00 2026 GMT`. Printable ASCII, cut to a few
// hundred bytes, since names in it are the server's. Only in a verify callback.
std::string CertificateFault(X509_STORE_CTX* context, std::string_view host);

}  // namespace coord

#endif  // SERVER_HTTP_CERTIFICATE_FAULT_H_
