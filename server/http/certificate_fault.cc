#include "server/http/certificate_fault.h"

#include <openssl/bio.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/text_view.h"
#include "common/utf8.h"

namespace coord {
namespace {

constexpr std::size_t kMaxTextBytes = 150;
constexpr int kMaxNames = 3;

// What `print` writes into a BIO, fit for a message.
template <typename Print>
std::string Printed(Print print) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()),
                                                      BIO_free);
  print(bio.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  const std::string text(data, static_cast<std::size_t>(size));
  return EscapeHeaderValue(text.substr(0, kMaxTextBytes));
}

std::string NameText(const X509_NAME* name) {
  return Printed(
      [name](BIO* bio) { X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253); });
}

std::string TimeText(const ASN1_TIME* time) {
  return Printed([time](BIO* bio) { ASN1_TIME_print(bio, time); });
}

// Whom the certificate is for: `DNS:example.com`.
std::string NamesText(const X509* certificate) {
  const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(
          certificate, NID_subject_alt_name, nullptr, nullptr)),
      GENERAL_NAMES_free);
  if (names == nullptr) return NameText(X509_get_subject_name(certificate));
  std::vector<std::string> texts;
  const int count = sk_GENERAL_NAME_num(names.get());
  for (int i = 0; i < count && i < kMaxNames; ++i) {
    texts.push_back(Printed([name = sk_GENERAL_NAME_value(names.get(), i)](
                                BIO* bio) { GENERAL_NAME_print(bio, name); }));
  }
  if (count > kMaxNames)
    texts.push_back(absl::StrCat(count - kMaxNames, " more"));
  return absl::StrJoin(texts, ", ");
}

}  // namespace

std::string CertificateFault(X509_STORE_CTX* context, std::string_view host) {
  const int error = X509_STORE_CTX_get_error(context);
  const X509* certificate = X509_STORE_CTX_get_current_cert(context);
  if (certificate == nullptr) return X509_verify_cert_error_string(error);
  const std::string which =
      X509_STORE_CTX_get_error_depth(context) == 0
          ? "it"
          : absl::StrCat("its issuer ",
                         NameText(X509_get_subject_name(certificate)));
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return absl::StrCat(which, " expired at ",
                          TimeText(X509_get0_notAfter(certificate)));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return absl::StrCat(which, " is not valid before ",
                          TimeText(X509_get0_notBefore(certificate)));
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return absl::StrCat(which, " is for ", NamesText(certificate),
                          ", not for ", AbslView(host));
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return absl::StrCat(which, " is self-signed and not trusted here");
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return absl::StrCat(which, " has an issuer that is unknown here: ",
                          NameText(X509_get_issuer_name(certificate)));
    default:
      return absl::StrCat(which, ": ", X509_verify_cert_error_string(error));
  }
}

}  // namespace coord
