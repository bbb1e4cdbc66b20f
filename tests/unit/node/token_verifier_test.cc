#include "server/node/token_verifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <memory>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace coord {
namespace {

using ::testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

const unsigned char* Bytes(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// What a token says; each test changes what it is about.
struct Claims {
  std::string algorithm = "HS256";
  std::string header_extra;
  std::string issuer = "mST";
  std::string audience = R"("mTest-audience")";
  std::string kind = "cluster";
  std::string sub_type = "mTest";
  std::string scope = R"("read")";
  absl::Time expiry = kNow + absl::Minutes(10);
  std::string extra;

  std::string SignedText() const {
    return absl::StrCat(
        absl::WebSafeBase64Escape(
            absl::StrCat("{\"alg\":\"", algorithm, "\"", header_extra, "}")),
        ".",
        absl::WebSafeBase64Escape(absl::StrCat(
            "{\"iss\":\"", issuer, "\",\"aud\":", audience, ",\"type\":\"",
            kind, "\",\"subType\":\"", sub_type, "\",\"scope\":", scope,
            ",\"exp\":", absl::ToUnixSeconds(expiry), extra, "}")));
  }
};

std::string Hs256(const Claims& claims, const std::string& key) {
  const std::string text = claims.SignedText();
  unsigned char mac[32];
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), Bytes(text),
       text.size(), mac, &size);
  return absl::StrCat("Bearer ", text, ".",
                      absl::WebSafeBase64Escape(absl::string_view(
                          reinterpret_cast<char*>(mac), size)));
}

// A fresh pair of keys.
class KeyPair {
 public:
  explicit KeyPair(bool rsa)
      : key_(rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256"), EVP_PKEY_free) {}

  std::string PublicPem() const {
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()),
                                                        BIO_free);
    PEM_write_bio_PUBKEY(bio.get(), key_.get());
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    return std::string(data, static_cast<std::size_t>(size));
  }

  std::string Sign(const Claims& claims) const {
    const std::string text = claims.SignedText();
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(
        EVP_MD_CTX_new(), EVP_MD_CTX_free);
    std::size_t size = 0;
    EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr,
                       key_.get());
    EVP_DigestSign(context.get(), nullptr, &size, Bytes(text), text.size());
    std::string signature(size, '\0');
    EVP_DigestSign(context.get(),
                   reinterpret_cast<unsigned char*>(signature.data()), &size,
                   Bytes(text), text.size());
    signature.resize(size);
    if (EVP_PKEY_is_a(key_.get(), "EC")) signature = Raw(signature);
    return absl::StrCat("Bearer ", text, ".",
                        absl::WebSafeBase64Escape(signature));
  }

 private:
  // r and s, 32 bytes each, out of DER.
  static std::string Raw(const std::string& der) {
    const unsigned char* at = Bytes(der);
    const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> signature(
        d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())),
        ECDSA_SIG_free);
    std::string raw(64, '\0');
    auto* out = reinterpret_cast<unsigned char*>(raw.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), out, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), out + 32, 32);
    return raw;
  }

  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
};

Credentials GenericKeys() {
  Credentials credentials;
  credentials.Set("mTest", {.client_audience = "client-audience",
                            .client_access_key = "access-key",
                            .generic_audience = "mTest-audience",
                            .generic_key = "generic-key",
                            .generic_previous_key = "previous-key"});
  return credentials;
}

TokenVerifier Verifier(const std::string& public_key_pem = "",
                       Credentials credentials = GenericKeys()) {
  return *TokenVerifier::Create(
      {.issuer = "mST", .public_key_pem = public_key_pem},
      std::move(credentials), [] { return kNow; });
}

void ExpectRefused(const absl::Status& status, const std::string& why) {
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
  EXPECT_EQ(status.message(), "invalid token: " + why);
}

TEST(TokenVerifier, TheGenericKeyAndTheOneBeforeItAreAccepted) {
  const TokenVerifier verifier = Verifier();
  EXPECT_TRUE(verifier.Verify("mTest", Hs256({}, "generic-key")).ok());
  EXPECT_TRUE(verifier.Verify("mTest", Hs256({}, "previous-key")).ok());
  ExpectRefused(verifier.Verify("mTest", Hs256({}, "access-key")),
                "its signature is wrong");
  ExpectRefused(verifier.Verify("mTest", Hs256({}, "")),
                "its signature is wrong");
}

TEST(TokenVerifier, WithoutAGenericKeyTheAccessKeyAndItsAudienceCount) {
  Credentials credentials;
  credentials.Set("mTest", {.client_audience = "client-audience",
                            .client_access_key = "access-key"});
  const TokenVerifier verifier = Verifier("", credentials);
  EXPECT_TRUE(verifier
                  .Verify("mTest", Hs256({.audience = R"("client-audience")"},
                                         "access-key"))
                  .ok());
  ExpectRefused(verifier.Verify("mTest", Hs256({}, "access-key")),
                "it is for another audience");
}

TEST(TokenVerifier, EachPublicKeyAcceptsItsOwnAlgorithm) {
  const KeyPair rsa(true);
  const KeyPair ec(false);
  EXPECT_TRUE(Verifier(rsa.PublicPem())
                  .Verify("mTest", rsa.Sign({.algorithm = "RS256"}))
                  .ok());
  EXPECT_TRUE(Verifier(ec.PublicPem())
                  .Verify("mTest", ec.Sign({.algorithm = "ES256"}))
                  .ok());
  ExpectRefused(Verifier(rsa.PublicPem())
                    .Verify("mTest", ec.Sign({.algorithm = "ES256"})),
                "its signature is wrong");
  ExpectRefused(Verifier().Verify("mTest", rsa.Sign({.algorithm = "RS256"})),
                "its signature is wrong");
}

TEST(TokenVerifier, APublicKeyIsNeverTakenForASecret) {
  const KeyPair rsa(true);
  const std::string pem = rsa.PublicPem();
  ExpectRefused(Verifier(pem).Verify("mTest", Hs256({}, pem)),
                "its signature is wrong");
}

TEST(TokenVerifier, UnsignedAndUnknownAlgorithmsAreRefused) {
  for (const char* algorithm : {"none", "None", "HS512", ""}) {
    ExpectRefused(Verifier().Verify(
                      "mTest", Hs256({.algorithm = algorithm}, "generic-key")),
                  "it can't be read");
  }
  ExpectRefused(
      Verifier().Verify("mTest", Hs256({.header_extra = R"(,"crit":["b64"])"},
                                       "generic-key")),
      "it can't be read");
}

TEST(TokenVerifier, WhatIsNoTokenIsRefused) {
  const TokenVerifier verifier = Verifier();
  ExpectRefused(verifier.Verify("mTest", ""), "there is none");
  ExpectRefused(verifier.Verify("mTest", "Basic abc"), "there is none");
  for (const char* token : {"Bearer a", "Bearer a.b", "Bearer a.b.c.d",
                            "Bearer e30.e30.", "Bearer !.!.!"}) {
    ExpectRefused(verifier.Verify("mTest", token), "it can't be read");
  }
  ExpectRefused(
      verifier.Verify(
          "mTest", absl::StrCat("Bearer ", std::string(20'000, 'a'), ".e30.x")),
      "it can't be read");
}

TEST(TokenVerifier, AnyChangeOfASignedTokenIsNoticed) {
  const TokenVerifier verifier = Verifier();
  const std::string good = Hs256({}, "generic-key");
  const std::size_t claims = good.find('.') + 1;
  for (std::size_t i = claims; i < good.size() - 1; ++i) {
    std::string bad = good;
    bad[i] = bad[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(verifier.Verify("mTest", bad).ok()) << "byte " << i;
  }
}

TEST(TokenVerifier, ClaimsAreChecked) {
  const TokenVerifier verifier = Verifier();
  auto verify = [&](const Claims& claims) {
    return verifier.Verify("mTest", Hs256(claims, "generic-key"));
  };
  ExpectRefused(verify({.issuer = "somebody"}),
                "its issuer is not the one expected");
  ExpectRefused(verify({.audience = R"("other")"}),
                "it is for another audience");
  ExpectRefused(verify({.audience = "7"}), "it is for another audience");
  ExpectRefused(verify({.scope = "null"}), "it has no scope");
  EXPECT_TRUE(verify({.audience = R"(["x","mTest-audience"])"}).ok());
}

TEST(TokenVerifier, ClocksMayDifferByTheLeewayAndNoMore) {
  const TokenVerifier verifier = Verifier();
  auto verify = [&](const Claims& claims) {
    return verifier.Verify("mTest", Hs256(claims, "generic-key"));
  };
  EXPECT_TRUE(verify({.expiry = kNow - absl::Seconds(29)}).ok());
  ExpectRefused(verify({.expiry = kNow - absl::Seconds(30)}), "it has expired");
  EXPECT_TRUE(verify({.extra = R"(,"nbf":1700000030)"}).ok());
  ExpectRefused(verify({.extra = R"(,"nbf":1700000031)"}),
                "it is not valid yet");
}

TEST(TokenVerifier, AnotherKindOrTypeIsABadRequest) {
  const TokenVerifier verifier = Verifier();
  for (const Claims& claims :
       {Claims{.kind = "user"}, Claims{.sub_type = "mOther"}}) {
    const absl::Status status =
        verifier.Verify("mTest", Hs256(claims, "generic-key"));
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("invalid token: "));
  }
}

TEST(TokenVerifier, ATypeWithoutKeysMayHaveNoTokens) {
  const TokenVerifier verifier = *TokenVerifier::Create(
      {.accept_without_keys = true}, GenericKeys(), [] { return kNow; });
  EXPECT_EQ(verifier.Verify("mOther", ""), absl::OkStatus());
  ExpectRefused(verifier.Verify("mTest", ""), "there is none");
}

TEST(TokenVerifier, ATypeWithoutKeysBelievesNobody) {
  ExpectRefused(
      Verifier().Verify("mOther", Hs256({.sub_type = "mOther"}, "generic-key")),
      "this type has no keys here");
}

TEST(TokenVerifier, APublicKeyThatIsNoneIsRefusedAtStart) {
  const auto verifier = TokenVerifier::Create({.public_key_pem = "nonsense"},
                                              {}, [] { return kNow; });
  EXPECT_EQ(verifier.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace coord
