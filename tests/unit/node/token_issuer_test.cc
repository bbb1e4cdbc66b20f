#include "server/node/token_issuer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/node/jwt.h"
#include "server/node/token_verifier.h"
#include "server/registry/token_answer.h"

namespace coord {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kIssuer[] = "http://mst.test/mST/v1/oauth/token";

TypeCredentials Account(const std::string& name) {
  TypeCredentials account;
  account.client_id = name + "-client";
  account.client_secret = name + "-secret";
  account.generic_audience = name + "-audience";
  account.generic_key = name + "-key";
  return account;
}

class TokenIssuerTest : public testing::Test {
 protected:
  TokenIssuerTest() {
    clients_.Set("echo", Account("echo"));
    clients_.Set("other", Account("other"));
  }

  absl::StatusOr<std::unique_ptr<TokenIssuer>> Create() {
    return TokenIssuer::Create({kIssuer, "mIT", clients_},
                               [this] { return now_; });
  }
  absl::Status CreateError() { return Create().status(); }

  TokenIssuer& issuer() {
    if (issuer_ == nullptr) issuer_ = *Create();
    return *issuer_;
  }

  static std::string Request(const std::string& audience,
                             const std::string& more = "",
                             const std::string& secret = "echo-secret") {
    return absl::StrCat(R"({"client_id":"echo-client","client_secret":")",
                        secret, R"(","audience":")", audience,
                        R"(","grant_type":"client_credentials")", more, "}");
  }
  static std::string Refresh(const std::string& token) {
    return absl::StrCat(R"({"refresh_token":")", token,
                        R"(","grant_type":"refresh_token"})");
  }

  // What a request is granted, as a client reads it.
  TokenAnswer Granted(const std::string& request) {
    const absl::StatusOr<std::string> body = issuer().Grant(request);
    EXPECT_TRUE(body.ok()) << body.status();
    const auto answer = ParseTokenAnswer(body.value_or(""));
    EXPECT_TRUE(answer.has_value());
    return answer.value_or(TokenAnswer());
  }
  static std::string Access(const TokenAnswer& answer) {
    return "Bearer " + answer.access.text;
  }
  absl::Status GrantError(const std::string& request) {
    return issuer().Grant(request).status();
  }
  std::string OwnToken(TokenRequest request) {
    std::optional<absl::StatusOr<std::string>> token;
    issuer().Get(std::move(request), [&](auto t) { token = std::move(t); });
    EXPECT_TRUE(token.has_value() && token->ok());
    return token->value_or("none");
  }
  // As the node API of `type` sees a token.
  absl::Status NodeSays(const std::string& type,
                        const std::string& authorization) {
    return TokenVerifier::Create({.issuer = kIssuer}, clients_,
                                 [this] { return now_; })
        ->Verify(type, authorization);
  }

  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
  Credentials clients_;
  std::unique_ptr<TokenIssuer> issuer_;
};

TEST_F(TokenIssuerTest, AClusterTokenIsGoodForTheNodeApiOfItsOwnType) {
  const TokenAnswer answer =
      Granted(Request("echo-audience", R"(,"type":"cluster")"));
  EXPECT_EQ(answer.access.expiry, now_ + absl::Hours(1));
  EXPECT_EQ(NodeSays("echo", Access(answer)), absl::OkStatus());
  EXPECT_EQ(NodeSays("other", Access(answer)).code(),
            absl::StatusCode::kPermissionDenied);
}

TEST_F(TokenIssuerTest, ATokenSaysWhoseItIs) {
  clients_.Set("echo", [] {
    TypeCredentials account = Account("echo");
    account.scope = "read:thing";
    return account;
  }());
  const TokenAnswer answer =
      Granted(Request("other-audience", R"(,"customer_name":"ac\"me")"));
  const absl::StatusOr<Jwt> jwt = ParseJwt(answer.access.text);
  ASSERT_TRUE(jwt.ok());
  EXPECT_TRUE(VerifiesHs256(*jwt, "other-key"));
  EXPECT_EQ(jwt->issuer, kIssuer);
  EXPECT_EQ(jwt->subject, "echo-client@clients");
  EXPECT_EQ(jwt->sub_type, "echo");
  EXPECT_EQ(jwt->kind, "");
  EXPECT_EQ(jwt->customer, "ac\"me");
  EXPECT_TRUE(jwt->has_scope);
  EXPECT_THAT(jwt->audiences, ElementsAre("other-audience"));
}

TEST_F(TokenIssuerTest, ATokenForMitNamesTheTypeUntilItExpires) {
  const std::string token = Access(Granted(Request("mIT")));
  EXPECT_EQ(*issuer().MitClientType(token), "echo");
  now_ += absl::Hours(1);
  const auto expired = issuer().MitClientType(token);
  EXPECT_EQ(expired.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(expired.status().message(), "invalid token: it has expired");
}

TEST_F(TokenIssuerTest, NoOtherTokenIsOneForMit) {
  const TokenAnswer answer = Granted(Request("mIT"));
  for (const std::string& token :
       {std::string(), std::string("Bearer x"), answer.access.text,
        Access(Granted(Request("echo-audience"))),
        "Bearer " + answer.refresh->text,
        "Bearer " + SignHs256(R"({"sub":"nobody@clients"})", "echo-secret")}) {
    EXPECT_EQ(issuer().MitClientType(token).status().code(),
              absl::StatusCode::kPermissionDenied);
  }
}

TEST_F(TokenIssuerTest, TokensForMitOutliveARestartButNotTheSecret) {
  const std::string token = Access(Granted(Request("mIT")));
  issuer_.reset();
  EXPECT_EQ(*issuer().MitClientType(token), "echo");
  TypeCredentials changed = Account("echo");
  changed.client_secret = "another";
  clients_.Set("echo", changed);
  issuer_.reset();
  EXPECT_EQ(issuer().MitClientType(token).status().message(),
            "invalid token: its signature is wrong");
}

TEST_F(TokenIssuerTest, ARefreshTokenGrantsTheSameAgainForADay) {
  const TokenAnswer first = Granted(
      Request("echo-audience", R"(,"type":"cluster","customer_name":"acme")"));
  now_ += absl::Hours(23);
  const TokenAnswer second = Granted(Refresh(first.refresh->text));
  EXPECT_EQ(NodeSays("echo", Access(second)), absl::OkStatus());
  EXPECT_EQ(ParseJwt(second.access.text)->customer, "acme");
  now_ += absl::Hours(1);
  const absl::Status old = GrantError(Refresh(first.refresh->text));
  EXPECT_EQ(old.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(old.message(), "the refresh token is not good any more");
}

TEST_F(TokenIssuerTest, ARefreshTokenThatIsNoneIsInvalid) {
  const TokenAnswer answer = Granted(Request("echo-audience"));
  for (const std::string& token :
       {std::string(), std::string("x"), answer.access.text,
        answer.refresh->text + "A"}) {
    EXPECT_EQ(GrantError(Refresh(token)).code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(TokenIssuerTest, WrongSecretsAndUnknownClientsAreToldAlike) {
  for (const std::string& request :
       {Request("mIT", "", "wrong"), Request("mIT", "", ""),
        std::string(R"({"client_id":"x","client_secret":"echo-secret",)"
                    R"("grant_type":"client_credentials"})")}) {
    const absl::Status status = GrantError(request);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
    EXPECT_EQ(status.message(), "unknown client or wrong secret");
  }
}

TEST_F(TokenIssuerTest, WhatMakesNoSenseIsInvalid) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "must be a JSON object"},
      {"[]", "must be a JSON object"},
      {"{}", "grant_type must be client_credentials or refresh_token"},
      {Request("nobody"), "the audience is nobody's here"},
      {Request("mIT", R"(,"type":"cluster")"), "mIT takes no cluster tokens"},
      {Request("mIT", absl::StrCat(R"(,"customer_name":")",
                                   std::string(257, 'x'), "\"")),
       "customer_name must be at most 256 bytes"},
      {std::string((64 << 10) + 1, ' '), "must be at most 64 KiB"}};
  for (const auto& [request, why] : cases) {
    const absl::Status status = GrantError(request);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(status.message(), why);
  }
}

TEST_F(TokenIssuerTest, OurOwnCallsGetATokenThatStaysTheSameForAWhile) {
  now_ = absl::FromUnixSeconds(1'700'000'100);  // 5 minutes begin
  const std::string token = OwnToken({.type = "echo", .customer_name = "acme"});
  EXPECT_EQ(NodeSays("echo", "Bearer " + token), absl::OkStatus());
  EXPECT_EQ(ParseJwt(token)->customer, "acme");
  now_ += absl::Minutes(5) - absl::Seconds(1);
  EXPECT_EQ(OwnToken({.type = "echo", .customer_name = "acme"}), token);
  now_ += absl::Seconds(1);
  EXPECT_NE(OwnToken({.type = "echo", .customer_name = "acme"}), token);
}

TEST_F(TokenIssuerTest, ATypeThatIsNoClientHasNoTokens) {
  EXPECT_EQ(OwnToken({.type = "polyglot"}), "");
}

TEST_F(TokenIssuerTest, AServiceWithoutAGenericKeyIsServedByItsOwn) {
  TypeCredentials account = Account("echo");
  account.generic_key.clear();
  account.client_audience = "own-audience";
  account.client_access_key = "own-key";
  clients_.Set("echo", account);
  EXPECT_EQ(NodeSays("echo", Access(Granted(Request("own-audience",
                                                    R"(,"type":"cluster")")))),
            absl::OkStatus());
  EXPECT_EQ(OwnToken({.type = "echo"}),
            OwnToken({.type = "echo", .audience = "own-audience"}));
}

TEST_F(TokenIssuerTest, ClientsThatCanNotBeServedAreNamed) {
  const Credentials good = clients_;
  const auto error_with = [&](auto change) {
    clients_ = good;
    TypeCredentials account = Account("third");
    std::string type = "third";
    change(account, type);
    clients_.Set(type, account);
    const absl::Status status = CreateError();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_EQ(error_with([](auto&, auto& type) { type = "*"; }),
            "issue tokens to *: a client must be of one type");
  EXPECT_THAT(
      error_with([](auto& account, auto&) { account.generic_key.clear(); }),
      HasSubstr("its node API needs generic_audience and generic_key"));
  EXPECT_EQ(error_with(
                [](auto& account, auto&) { account.generic_audience = "mIT"; }),
            "issue tokens to third: its audience is that of mIT");
  EXPECT_THAT(error_with([](auto& account, auto&) {
                account.generic_audience = "echo-audience";
              }),
              HasSubstr("the same audience with another key"));
  EXPECT_THAT(error_with([](auto& account, auto&) {
                account.client_id = "echo-client";
              }),
              HasSubstr("the same client_id"));
}

}  // namespace
}  // namespace coord
