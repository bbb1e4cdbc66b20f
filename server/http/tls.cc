#include "server/http/tls.h"

#include <openssl/ssl.h>

#include "absl/strings/str_cat.h"
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

}  // namespace

absl::StatusOr<std::shared_ptr<ssl::context>> ClientTls(
    const std::string& ca_file) {
  if (!ca_file.empty()) return MakeClientTls(ca_file);
  // The same for all clients of the process, which only read it.
  static const auto* const system = new ContextOr(MakeClientTls(""));
  return *system;
}

}  // namespace coord
