#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/utsname.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/text_view.h"
#include "tests/unit/registry/mit_registry_fixture.h"

namespace coord {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(MitRegistryTest, RegistrationIsWhatTheAuthorityExpects) {
  Register({.server = Own(), .correlation_id = "abc@4/D"});

  ASSERT_THAT(transport_.requests, SizeIs(1));
  EXPECT_EQ(Request().ToString(),
            "POST http://mit.test:8443/mIT/v1/itResources");
  EXPECT_EQ(Body(),
            R"({"type":"mTest","serverId":"node-1","location":{"zone":"a"},)"
            R"("publicBaseUrl":"https://api.test",)"
            R"("clusterBaseUrl":"http://a.test/base"})");
  EXPECT_EQ(Header("authorization"), "Bearer token-1");
  EXPECT_EQ(Header("content-type"), "application/json");
  EXPECT_EQ(Header("accept-encoding"), "identity");
  EXPECT_EQ(Header("x-correlation-id"), "abc@5/D");
  utsname system{};
  ASSERT_EQ(uname(&system), 0);
  EXPECT_EQ(Header("user-agent"),
            absl::StrCat("mimik-mTest/1.2.3/node-1 (", system.sysname, "; ",
                         system.machine, "; clusterd)"));
  ASSERT_THAT(tokens_.requests, SizeIs(1));
  EXPECT_EQ(tokens_.requests[0].type, "mTest");
  EXPECT_EQ(tokens_.requests[0].audience, "https://mit");
  EXPECT_FALSE(tokens_.requests[0].cluster);
}

TEST_F(MitRegistryTest, WithoutManagementTheAuthorityIsTold) {
  Register({.server = Own(), .managed = false});

  EXPECT_EQ(Request().request.target, "/mIT/v1/itResources?managedCluster=off");
}

TEST_F(MitRegistryTest, WithoutTokensNoneIsSent) {
  tokens_.off = true;
  Register();

  EXPECT_EQ(Header("authorization"), "none");
  EXPECT_THAT(Header("x-correlation-id"),
              testing::MatchesRegex("[0-9a-f-]{36}@0/2023.*Z"));
}

TEST_F(MitRegistryTest, AnswerIsTheClusterWithItsLease) {
  Register();
  transport_.Answer(200, RegisterAnswerJson());

  ASSERT_TRUE(answer_ && answer_->ok()) << RegisterError();
  const RegisterAnswer& answer = **answer_;
  EXPECT_EQ(answer.cluster,
            (ClusterIdentity{"cluster-1", "mTest", "https://api.test"}));
  EXPECT_EQ(answer.lease, absl::Minutes(1));
  EXPECT_EQ(answer.record.server_id, "node-1");
  EXPECT_EQ(answer.record.version.text, "2026-11-24T02:18:03.899Z");
  ASSERT_TRUE(answer.servers.has_value());
  ASSERT_THAT(*answer.servers, SizeIs(2));
  EXPECT_EQ((*answer.servers)[0], answer.record);
  const Server& other = (*answer.servers)[1];
  EXPECT_EQ(other.version.text, "2026-11-24T02:18:01.000Z");
  EXPECT_EQ(other.extra_json, R"({"weight":3})");
  EXPECT_EQ(other.node_api, NodeApi::kUnknown);
}

TEST_F(MitRegistryTest, AnswerMayBeWrappedInData) {
  Register();
  transport_.Answer(200,
                    absl::StrCat(R"({"data":)", RegisterAnswerJson(), "}"));

  ASSERT_TRUE(answer_ && answer_->ok()) << RegisterError();
  EXPECT_EQ((*answer_)->lease, absl::Minutes(1));
}

TEST_F(MitRegistryTest, WhatTheAuthorityDoesNotKeepIsAsItWasRegistered) {
  Server own = Own();
  own.node_api = NodeApi::kNo;
  own.state = ServerState::kDraining;
  Register({.server = own});
  transport_.Answer(200, RegisterAnswerJson());

  ASSERT_TRUE(answer_ && answer_->ok()) << RegisterError();
  EXPECT_EQ((*answer_)->record.node_api, NodeApi::kNo);
  EXPECT_EQ((*answer_)->record.state, ServerState::kDraining);
  EXPECT_EQ((*(*answer_)->servers)[0], (*answer_)->record);

  // In the answer to another registration of this process as well.
  Server other = Own();
  other.server_id = "node-2";
  other.cluster_base_url = "http://b.test";
  other.node_api = NodeApi::kYes;
  Register({.server = other});
  transport_.Answer(200, RegisterAnswerJson());
  ASSERT_TRUE(answer_ && answer_->ok()) << RegisterError();
  EXPECT_EQ((*(*answer_)->servers)[0].node_api, NodeApi::kNo);
  EXPECT_EQ((*answer_)->record.node_api, NodeApi::kYes);

  // But not once it lives elsewhere.
  std::string moved = RegisterAnswerJson();
  moved.replace(moved.find("a.test"), 6, "c.test");
  Register({.server = other});
  transport_.Answer(200, moved);
  ASSERT_TRUE(answer_ && answer_->ok()) << RegisterError();
  EXPECT_EQ((*(*answer_)->servers)[0].node_api, NodeApi::kUnknown);
}

TEST_F(MitRegistryTest, WhatIsForgottenIsAsTheAuthorityTellsIt) {
  Server own = Own();
  own.node_api = NodeApi::kNo;
  Register({.server = own});
  transport_.Answer(200, RegisterAnswerJson());
  registry_.Forget({"cluster-1", "node-1"}, "mTest");
  Server other = Own();
  other.server_id = "node-2";
  Register({.server = other});
  transport_.Answer(200, RegisterAnswerJson());

  ASSERT_TRUE(answer_ && answer_->ok()) << RegisterError();
  EXPECT_EQ((*(*answer_)->servers)[0].node_api, NodeApi::kUnknown);

  // Nor does it speak for others any more.
  registry_.Forget({"cluster-1", "node-2"}, "mTest");
  registry_.Forget({"cluster-1", "node-2"}, "mTest");
  registry_.Remove({"cluster-1", "node-9"}, "mTest", {{"v"}},
                   [](const auto&) {});
  loop_.RunPosted();
  EXPECT_THAT(Header("user-agent"), testing::HasSubstr("/node-9 ("));
}

TEST_F(MitRegistryTest, LeaseIsHandedOnAsGranted) {
  for (const auto& [lease, expected] :
       std::vector<std::pair<std::string, absl::Duration>>{
           {"1", absl::Milliseconds(1)},
           {"1500.5", absl::Microseconds(1'500'500)},
           {"1e300", absl::Hours(24 * 365)},
           {"0", absl::Hours(2)},
           {"1e-9", absl::Hours(2)},
           {"-5", absl::Hours(2)},
           {"null", absl::Hours(2)},
           {R"("soon")", absl::Hours(2)}}) {
    Register();
    transport_.Answer(
        200, absl::StrCat(R"({"itResource":)", ItResourceWith(kOwnRecord),
                          R"(,"leaseTime":)", lease, "}"));
    ASSERT_TRUE(answer_ && answer_->ok()) << RegisterError();
    EXPECT_EQ((*answer_)->lease, expected) << lease;
  }
}

TEST_F(MitRegistryTest, AnAnswerThatMakesNoSenseIsBad) {
  const std::string wrong_type =
      R"({"itResource":{"id":"c","type":"mOther","servers":[]}})";
  for (const auto& [body, cause] :
       std::vector<std::pair<std::string, std::string>>{
           {"", "it is not JSON"},
           {"<html>", "it is not JSON"},
           {"[]", "it is not an object"},
           {"{}", "itResource is missing"},
           {R"({"data":{}})", "itResource is missing"},
           {R"({"itResource":{}})",
            "itResource: id: must be a string, not empty"},
           {wrong_type, "it is about another type"},
           {absl::StrCat(R"({"itResource":)", ItResourceWith(kOtherRecord),
                         "}"),
            "it lacks the server that was registered"}}) {
    Register();
    transport_.Answer(200, body);
    EXPECT_TRUE(HasReason(RegisterError(), Reason::kAuthorityBadAnswer));
    EXPECT_EQ(StdView(RegisterError().message()),
              "register mTest/node-1: the authority's answer makes no sense: " +
                  cause);
  }
}

TEST_F(MitRegistryTest, ARefusedTokenIsReplacedOnce) {
  Register();
  transport_.Answer(403, "");

  EXPECT_THAT(tokens_.dropped, ElementsAre("token-1"));
  ASSERT_THAT(transport_.requests, SizeIs(1));
  EXPECT_EQ(Header("authorization"), "Bearer token-2");
  transport_.Answer(200, RegisterAnswerJson());
  EXPECT_TRUE(answer_ && answer_->ok()) << RegisterError();
}

TEST_F(MitRegistryTest, TwoRefusedTokensAreWrongCredentials) {
  Register();
  transport_.Answer(403, "");
  transport_.Answer(403, "");

  EXPECT_TRUE(
      HasReason(RegisterError(), Reason::kAuthorityRejectedCredentials));
  EXPECT_EQ(StdView(RegisterError().message()),
            "register mTest/node-1: authority refuses our token");
  EXPECT_THAT(transport_.requests, IsEmpty());
}

TEST_F(MitRegistryTest, AFailedTokenIsTheErrorOfTheCall) {
  tokens_.error = MakeError(Reason::kAuthorityUnavailable, "no token today");
  Register();

  EXPECT_TRUE(HasReason(RegisterError(), Reason::kAuthorityUnavailable));
  EXPECT_EQ(StdView(RegisterError().message()),
            "register mTest/node-1: no token today");
  EXPECT_THAT(transport_.requests, IsEmpty());
}

TEST_F(MitRegistryTest, ATroubledAuthorityIsAskedThreeTimesASecondApart) {
  Register();
  transport_.Answer(500, "");
  loop_.Advance(absl::Milliseconds(999));
  EXPECT_THAT(transport_.requests, IsEmpty());
  loop_.Advance(absl::Milliseconds(1));
  ASSERT_THAT(transport_.requests, SizeIs(1));
  transport_.Fail(HttpError::Kind::kConnectionLost, true);
  loop_.Advance(absl::Seconds(1));
  transport_.Answer(429, "");

  EXPECT_TRUE(HasReason(RegisterError(), Reason::kAuthorityUnavailable));
  EXPECT_EQ(StdView(RegisterError().message()),
            "register mTest/node-1: authority answered 429 after 3 attempts");
  loop_.Advance(absl::Minutes(2));
  EXPECT_THAT(transport_.requests, IsEmpty());
}

TEST_F(MitRegistryTest, ARetryMaySucceed) {
  Register();
  transport_.Fail(HttpError::Kind::kUnreachable, false);
  loop_.Advance(absl::Seconds(1));
  transport_.Answer(200, RegisterAnswerJson());

  EXPECT_TRUE(answer_ && answer_->ok()) << RegisterError();
}

TEST_F(MitRegistryTest, ASilentAuthorityIsUnavailableWithin50Seconds) {
  MitRegistryOptions options = Options();
  options.attempt_timeout = absl::Seconds(30);
  MitRegistry patient(loop_, transport_, tokens_, options);
  std::optional<absl::Status> error;
  patient.Register({.server = Own()},
                   [&error](auto answer) { error = answer.status(); });
  loop_.RunPosted();

  loop_.Advance(absl::Milliseconds(49'999));
  EXPECT_FALSE(error.has_value());
  loop_.Advance(absl::Milliseconds(1));

  ASSERT_TRUE(error.has_value());
  EXPECT_TRUE(HasReason(*error, Reason::kAuthorityUnavailable));
  EXPECT_EQ(StdView(error->message()),
            "register mTest/node-1: authority did not answer: made to fail "
            "after 2 attempts");
}

TEST_F(MitRegistryTest, ARecordThatTheAuthorityRefusesIsNotSentAgain) {
  Register();
  transport_.Answer(400, R"({"message":"bad location"})");

  EXPECT_EQ(RegisterError().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(StdView(RegisterError().message()),
            "register mTest/node-1: authority answered 400");
  loop_.Advance(absl::Minutes(1));
  EXPECT_THAT(transport_.requests, IsEmpty());
}

TEST_F(MitRegistryTest, AStatusThatMakesNoSenseIsABadAnswer) {
  for (const int status : {301, 404, 418}) {
    Register();
    transport_.Answer(status, "");
    EXPECT_TRUE(HasReason(RegisterError(), Reason::kAuthorityBadAnswer))
        << status;
  }
}

}  // namespace
}  // namespace coord
