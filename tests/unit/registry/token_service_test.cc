#include "server/registry/token_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/error.h"
#include "common/text_view.h"
#include "server/registry/token_answer.h"
#include "tests/support/fake_transport.h"
#include "tests/support/manual_loop.h"
#include "tests/unit/registry/jwt.h"

namespace coord {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

TokenServiceOptions Options() {
  TokenServiceOptions options;
  options.origin = {.host = "mst.test", .port = 8443};
  options.path = "/oauth/token";
  options.credentials.Set("mTest", {.client_id = "client-1",
                                    .client_secret = "hush-\"1\"",
                                    .audience = "https://test"});
  options.credentials.Set("mOther", {.client_id = "client-2",
                                     .client_secret = "hush-2",
                                     .audience = "https://test"});
  return options;
}

// The body of a request that waits for its answer.
std::string BodyOf(const FakeTransport::Pending& pending) {
  const std::string& tail = *pending.request.tail;
  return tail.substr(tail.find("\r\n\r\n") + 4);
}

class TokenServiceTest : public testing::Test {
 protected:
  using Result = absl::StatusOr<std::string>;

  // Asks; the answer is in results_ once it is there.
  std::size_t Ask(TokenRequest request = {.type = "mTest"}) {
    const std::size_t index = results_.size();
    results_.emplace_back();
    service_.Get(std::move(request), [this, index](Result token) {
      EXPECT_FALSE(results_[index].has_value()) << "answered twice";
      results_[index] = std::move(token);
    });
    loop_.RunPosted();
    return index;
  }

  // Asks, and the token service answers with tokens that live for `life`.
  std::string Fetch(std::string_view name, absl::Duration life,
                    TokenRequest request = {.type = "mTest"}) {
    const std::size_t index = Ask(std::move(request));
    const std::string token = Jwt(name, loop_.WallTime() + life);
    transport_.Answer(200, TokenAnswerJson(token, Jwt("refresh", kFarFuture)));
    EXPECT_EQ(TokenOf(index), token);
    return token;
  }

  std::string TokenOf(std::size_t index) {
    if (!results_.at(index)) return "no answer yet";
    return results_[index]->ok() ? **results_[index]
                                 : results_[index]->status().ToString();
  }
  absl::Status ErrorOf(std::size_t index) {
    return results_.at(index) ? results_[index]->status()
                              : absl::UnknownError("no answer yet");
  }

  inline static const absl::Time kFarFuture = absl::FromUnixSeconds(4e9);

  ManualLoop loop_;
  FakeTransport transport_{loop_};
  TokenService service_{loop_, transport_, Options()};
  std::vector<std::optional<Result>> results_;
};

TEST_F(TokenServiceTest, AsksByTheCredentialsOfTheType) {
  const std::size_t asked = Ask({.type = "mTest", .customer_name = "acme"});

  ASSERT_THAT(transport_.requests, SizeIs(1));
  EXPECT_EQ(transport_.requests[0].ToString(),
            "POST http://mst.test:8443/oauth/token");
  EXPECT_EQ(BodyOf(transport_.requests[0]),
            R"({"client_id":"client-1","client_secret":"hush-\"1\"",)"
            R"("audience":"https://test","grant_type":"client_credentials",)"
            R"("type":"cluster","customer_name":"acme"})");
  EXPECT_THAT(*transport_.requests[0].request.tail,
              testing::HasSubstr("content-type: application/json\r\n"));
  const std::string token = Jwt("t", kFarFuture);
  transport_.Answer(200, TokenAnswerJson(token, token));
  EXPECT_EQ(TokenOf(asked), token);
}

TEST_F(TokenServiceTest, AskingForTheAuthorityNamesItsAudienceAndNoType) {
  Ask({.type = "mTest", .audience = "https://mit", .cluster = false});

  ASSERT_THAT(transport_.requests, SizeIs(1));
  EXPECT_EQ(BodyOf(transport_.requests[0]),
            R"({"client_id":"client-1","client_secret":"hush-\"1\"",)"
            R"("audience":"https://mit","grant_type":"client_credentials"})");
}

TEST_F(TokenServiceTest, OneFetchServesAllWhoWait) {
  const std::size_t first = Ask();
  const std::size_t second = Ask();

  ASSERT_THAT(transport_.requests, SizeIs(1));
  const std::string token = Jwt("t", kFarFuture);
  transport_.Answer(200, TokenAnswerJson(token, token));
  EXPECT_EQ(TokenOf(first), token);
  EXPECT_EQ(TokenOf(second), token);
}

TEST_F(TokenServiceTest, ATokenInTheCacheIsHandedOutInsideTheCall) {
  const std::string token = Fetch("t", absl::Hours(1));
  std::string got;

  service_.Get({.type = "mTest"}, [&got](Result result) { got = *result; });

  EXPECT_EQ(got, token);
  EXPECT_THAT(transport_.requests, IsEmpty());
}

TEST_F(TokenServiceTest, ClientAudienceKindAndCustomerTellTokensApart) {
  Fetch("first", absl::Hours(1));
  for (const TokenRequest& other :
       std::vector<TokenRequest>{{.type = "mOther"},
                                 {.type = "mTest", .audience = "https://mit"},
                                 {.type = "mTest", .cluster = false},
                                 {.type = "mTest", .customer_name = "acme"}}) {
    Ask(other);
    ASSERT_THAT(transport_.requests, SizeIs(1));
    transport_.Answer(500, "");
    loop_.Advance(absl::Seconds(1));
    transport_.Answer(500, "");
    loop_.Advance(absl::Seconds(1));
    transport_.Answer(500, "");
  }
}

TEST_F(TokenServiceTest, ATokenIsUsedUntil900SecondsBeforeItsEnd) {
  const std::string token = Fetch("t", absl::Seconds(3600));

  loop_.Advance(absl::Seconds(2699));
  EXPECT_EQ(TokenOf(Ask()), token);
  loop_.Advance(absl::Seconds(1));
  Ask();
  EXPECT_THAT(transport_.requests, SizeIs(1));
}

TEST_F(TokenServiceTest, AShortTokenIsUsedForHalfItsLife) {
  const std::string token = Fetch("t", absl::Seconds(60));

  loop_.Advance(absl::Seconds(29));
  EXPECT_EQ(TokenOf(Ask()), token);
  loop_.Advance(absl::Seconds(1));
  Ask();
  EXPECT_THAT(transport_.requests, SizeIs(1));
}

TEST_F(TokenServiceTest, AnEndedTokenIsRefreshed) {
  Fetch("t", absl::Seconds(60));
  loop_.Advance(absl::Minutes(1));
  const std::size_t asked = Ask();

  ASSERT_THAT(transport_.requests, SizeIs(1));
  EXPECT_EQ(BodyOf(transport_.requests[0]),
            R"({"refresh_token":")" + Jwt("refresh", kFarFuture) +
                R"(","grant_type":"refresh_token"})");
  const std::string token = Jwt("second", kFarFuture);
  transport_.Answer(200, TokenAnswerJson(token, token));
  EXPECT_EQ(TokenOf(asked), token);
}

TEST_F(TokenServiceTest, ARefusedRefreshFallsBackToTheCredentials) {
  Fetch("t", absl::Seconds(60));
  loop_.Advance(absl::Minutes(1));
  const std::size_t asked = Ask();
  transport_.Answer(400, "");

  ASSERT_THAT(transport_.requests, SizeIs(1));
  EXPECT_THAT(BodyOf(transport_.requests[0]),
              testing::HasSubstr("client_credentials"));
  const std::string token = Jwt("second", kFarFuture);
  transport_.Answer(200, TokenAnswerJson(token, token));
  EXPECT_EQ(TokenOf(asked), token);
}

TEST_F(TokenServiceTest, AnEndedRefreshTokenIsNotUsed) {
  Ask();
  const std::string soon = Jwt("t", loop_.WallTime() + absl::Seconds(60));
  transport_.Answer(200, TokenAnswerJson(soon, soon));
  loop_.Advance(absl::Seconds(30));
  Ask();

  ASSERT_THAT(transport_.requests, SizeIs(1));
  EXPECT_THAT(BodyOf(transport_.requests[0]),
              testing::HasSubstr("client_credentials"));
}

TEST_F(TokenServiceTest, ADroppedTokenIsReplacedByTheCredentials) {
  const std::string token = Fetch("t", absl::Hours(1));
  service_.Drop(token);
  Ask();

  ASSERT_THAT(transport_.requests, SizeIs(1));
  EXPECT_THAT(BodyOf(transport_.requests[0]),
              testing::HasSubstr("client_credentials"));
}

TEST_F(TokenServiceTest, DroppingAnOlderTokenLeavesTheNewerOne) {
  const std::string old = Fetch("old", absl::Hours(1));
  service_.Drop(old);
  const std::string token = Fetch("new", absl::Hours(1));

  service_.Drop(old);

  EXPECT_EQ(TokenOf(Ask()), token);
  EXPECT_THAT(transport_.requests, IsEmpty());
}

TEST_F(TokenServiceTest, ATroubledServiceIsAskedThreeTimes) {
  const std::size_t asked = Ask();
  transport_.Answer(503, "");
  EXPECT_THAT(transport_.requests, IsEmpty());
  loop_.Advance(absl::Milliseconds(999));
  EXPECT_THAT(transport_.requests, IsEmpty());
  loop_.Advance(absl::Milliseconds(1));
  transport_.Answer(429, "");
  loop_.Advance(absl::Seconds(1));
  transport_.Answer(503, "");

  EXPECT_TRUE(HasReason(ErrorOf(asked), Reason::kAuthorityUnavailable));
  EXPECT_EQ(StdView(ErrorOf(asked).message()),
            "get a token for mTest: the token service answered 503 after 3 "
            "attempts");
  loop_.Advance(absl::Minutes(1));
  EXPECT_THAT(transport_.requests, IsEmpty());
}

TEST_F(TokenServiceTest, ASilentServiceIsUnavailable) {
  const std::size_t asked = Ask();
  loop_.Advance(absl::Seconds(32));

  EXPECT_TRUE(HasReason(ErrorOf(asked), Reason::kAuthorityUnavailable));
  EXPECT_EQ(StdView(ErrorOf(asked).message()),
            "get a token for mTest: the token service does not answer: made to "
            "fail after 3 attempts");
}

TEST_F(TokenServiceTest, RefusedCredentialsAreToldAtOnce) {
  for (const int status : {400, 401, 403}) {
    const std::size_t asked = Ask();
    transport_.Answer(status, R"({"message":"hush"})");
    EXPECT_TRUE(
        HasReason(ErrorOf(asked), Reason::kAuthorityRejectedCredentials));
    EXPECT_EQ(StdView(ErrorOf(asked).message()),
              absl::StrCat("get a token for mTest: the token service answered ",
                           status));
  }
}

TEST_F(TokenServiceTest, ATypeWithoutCredentialsIsRefusedWithoutARequest) {
  const std::size_t asked = Ask({.type = "mThird"});

  EXPECT_TRUE(HasReason(ErrorOf(asked), Reason::kAuthorityRejectedCredentials));
  EXPECT_EQ(StdView(ErrorOf(asked).message()),
            "get a token for mThird: no credentials are configured for this "
            "type");
  EXPECT_THAT(transport_.requests, IsEmpty());
}

TEST_F(TokenServiceTest, AnAnswerWithoutAUsableTokenIsBad) {
  const std::string forged = "a.eyJleHAiOjQwMDAwMDAwMDB9.c\\r\\nx-evil: 1";
  for (const std::string& body :
       {std::string(), std::string("{}"), std::string("[]"),
        TokenAnswerJson("opaque", "opaque"), TokenAnswerJson(forged, forged)}) {
    const std::size_t asked = Ask();
    transport_.Answer(200, body);
    EXPECT_TRUE(HasReason(ErrorOf(asked), Reason::kAuthorityBadAnswer)) << body;
  }
  const std::size_t asked = Ask();
  transport_.Answer(302, "");
  EXPECT_TRUE(HasReason(ErrorOf(asked), Reason::kAuthorityBadAnswer));
}

TEST_F(TokenServiceTest, AnAnswerWithoutRefreshTokenIsFine) {
  const std::size_t asked = Ask();
  const std::string token = Jwt("t", kFarFuture);
  transport_.Answer(200, R"({"data":{"access_token":")" + token + R"("}})");

  EXPECT_EQ(TokenOf(asked), token);
}

TEST_F(TokenServiceTest, WhenTokensAreOffTheyAreEmpty) {
  TokenServiceOptions options;
  options.on = false;
  TokenService off(loop_, transport_, std::move(options));
  std::optional<Result> result;

  off.Get({.type = "mTest"}, [&result](Result token) { result = token; });

  ASSERT_TRUE(result.has_value());
  ASSERT_TRUE(result->ok());
  EXPECT_EQ(**result, "");
  EXPECT_THAT(transport_.requests, IsEmpty());
}

TEST_F(TokenServiceTest, WhoAsksAgainInsideTheAnswerStartsANewFetch) {
  std::optional<Result> second;
  service_.Get({.type = "mTest"}, [&](Result first) {
    EXPECT_FALSE(first.ok());
    service_.Get({.type = "mTest"}, [&](Result token) { second = token; });
  });
  loop_.RunPosted();
  transport_.Answer(403, "");

  const std::string token = Jwt("t", kFarFuture);
  transport_.Answer(200, TokenAnswerJson(token, token));
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(**second, token);
}

TEST_F(TokenServiceTest, OnlySoManyWaitForIt) {
  constexpr int kMost = 16'384;
  for (int i = 0; i < kMost; ++i) Ask();
  EXPECT_THAT(transport_.requests, SizeIs(1));

  const std::size_t refused = Ask({.type = "mOther"});
  ASSERT_TRUE(results_[refused].has_value());
  const absl::Status status = results_[refused]->status();
  EXPECT_TRUE(HasReason(status, Reason::kAuthorityUnavailable)) << status;
  EXPECT_EQ(StdView(status.message()),
            "get a token for mOther: 16384 calls wait for the token service, "
            "which is the limit");
  EXPECT_FALSE(results_[0].has_value());

  transport_.Answer(400, "");
  EXPECT_TRUE(results_[kMost - 1].has_value());
  EXPECT_FALSE(results_[Ask({.type = "mOther"})].has_value());
}

}  // namespace
}  // namespace coord
