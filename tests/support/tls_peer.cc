#include "tests/support/tls_peer.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <csignal>

namespace coord {

TlsIdentity::TlsIdentity(const std::string& alternative_name,
                         const TlsIdentityOptions& options)
    : context_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free),
      key_(EVP_EC_gen("P-256"), EVP_PKEY_free),
      certificate_(X509_new(), X509_free) {
  // OpenSSL writes without MSG_NOSIGNAL.
  std::signal(SIGPIPE, SIG_IGN);
  const TlsIdentity& issuer = options.issuer ? *options.issuer : *this;
  X509* certificate = certificate_.get();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), options.valid_from);
  X509_gmtime_adj(X509_getm_notAfter(certificate), options.valid_until);
  X509_set_pubkey(certificate, key_.get());
  X509_NAME_add_entry_by_txt(
      X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
      reinterpret_cast<const unsigned char*>(options.common_name.c_str()), -1,
      -1, 0);
  X509_set_issuer_name(certificate,
                       X509_get_subject_name(issuer.certificate_.get()));
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(
      nullptr, nullptr, NID_subject_alt_name, alternative_name.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  X509_sign(certificate, issuer.key_.get(), EVP_sha256());
  SSL_CTX_use_certificate(context_.get(), certificate);
  SSL_CTX_use_PrivateKey(context_.get(), key_.get());
}

std::string TlsIdentity::Pem() const {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()),
                                                      BIO_free);
  PEM_write_bio_X509(bio.get(), certificate_.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

TlsPeer::TlsPeer(const TlsIdentity& identity, const RawPeer& peer)
    : ssl_(SSL_new(identity.context()), SSL_free) {
  SSL_set_fd(ssl_.get(), peer.socket());
  ok_ = SSL_accept(ssl_.get()) == 1;
}

std::string TlsPeer::server_name() const {
  const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? "" : name;
}

std::string TlsPeer::ReadSome() {
  char buffer[16 << 10];
  const int size = SSL_read(ssl_.get(), buffer, sizeof buffer);
  return size > 0 ? std::string(buffer, static_cast<std::size_t>(size))
                  : std::string();
}

void TlsPeer::Write(std::string_view bytes) {
  SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
}

void TlsPeer::CloseNotify() { SSL_shutdown(ssl_.get()); }

}  // namespace coord
