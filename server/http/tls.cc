#include "server/http/tls.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/verify_context.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/http/certificate_fault.h"
#include "server/http/stream.h"

namespace coord {
namespace ssl = boost::asio::ssl;

namespace {

using ContextOr = absl::StatusOr<std::shared_ptr<ssl::context>>;

ContextOr MakeClientTls(const std::string& ca_file) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  boost::system::error_code error;
  context->set_verify_mode(ssl::verify_peer, error);
  if (ca_file.empty()) {
    context->set_default_verify_paths(error);
  } else {
    context->load_verify_file(ca_file, error);
  }
  if (!error) return context;
  return absl::InvalidArgumentError(
      absl::StrCat("read certificates from ",
                   ca_file.empty() ? "the system's store" : ca_file, ": ",
                   ErrorText(error)));
}

// Whether OpenSSL takes `host` for what the certificate must be for. An empty
// one would turn that check off.
bool VerifyFor(SSL* handle, const std::string& host) {
  if (host.empty()) return false;
  boost::system::error_code no_address;
  boost::asio::ip::make_address(host, no_address);
  if (!no_address) {
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(handle),
                                         host.c_str()) == 1;
  }
  return SSL_set_tlsext_host_name(handle, host.c_str()) == 1 &&
         SSL_set1_host(handle, host.c_str()) == 1;
}

}  // namespace

absl::Status ExpectServer(Stream::Tls& stream, std::string_view host,
                          std::shared_ptr<std::string> fault) {
  if (host.ends_with('.')) host.remove_suffix(1);
  std::string name(host);
  if (!VerifyFor(stream.native_handle(), name)) {
    return absl::InternalError(
        absl::StrCat("`", name, "` can't be asked for by TLS"));
  }
  boost::system::error_code error;
  stream.set_verify_callback(
      [name = std::move(name), fault = std::move(fault)](
          bool good, ssl::verify_context& context) {
        if (!good) *fault = CertificateFault(context.native_handle(), name);
        return good;
      },
      error);
  return error ? absl::InternalError(ErrorText(error)) : absl::OkStatus();
}

bool WasHeard(Stream::Tls& stream) {
  return BIO_number_read(SSL_get_rbio(stream.native_handle())) > 0;
}

absl::StatusOr<std::shared_ptr<ssl::context>> ClientTls(
    const std::string& ca_file) {
  if (!ca_file.empty()) return MakeClientTls(ca_file);
  // The same for all clients of the process, which only read it.
  static const auto* const kSystem = new ContextOr(MakeClientTls(""));
  return *kSystem;
}

}  // namespace coord
