// TLS for scripted servers, with certificates made on the spot.
#ifndef TESTS_SUPPORT_TLS_PEER_H_
#define TESTS_SUPPORT_TLS_PEER_H_

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

#include "tests/support/raw_server.h"

namespace coord {

class TlsIdentity;

struct TlsIdentityOptions {
  // In seconds from now.
  long valid_from = -3600;
  long valid_until = 3600;
  const TlsIdentity* issuer = nullptr;  // nullptr: it is self-signed
  std::string common_name = "test";
};

// A certificate for one name or address, and its key.
class TlsIdentity {
 public:
  // `alternative_name` as OpenSSL writes it: `DNS:localhost`, `IP:127.0.0.1`.
  explicit TlsIdentity(const std::string& alternative_name,
                       const TlsIdentityOptions& options = {});

  // The certificate as PEM: what a client that trusts it loads.
  std::string Pem() const;
  SSL_CTX* context() const { return context_.get(); }

 private:
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
  std::unique_ptr<X509, decltype(&X509_free)> certificate_;
};

// The TLS side of a RawPeer, blocking.
class TlsPeer {
 public:
  // Shakes hands; `ok()` tells whether that went well.
  TlsPeer(const TlsIdentity& identity, const RawPeer& peer);

  bool ok() const { return ok_; }
  // The name that the client asked for.
  std::string server_name() const;
  // Empty at the end.
  std::string ReadSome();
  void Write(std::string_view bytes);
  // Ends the stream as TLS wants it.
  void CloseNotify();

 private:
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
  bool ok_ = false;
};

}  // namespace coord

#endif  // TESTS_SUPPORT_TLS_PEER_H_
