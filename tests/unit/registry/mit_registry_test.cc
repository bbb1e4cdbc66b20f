#include "server/registry/mit_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/utsname.h>

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/correlation_id.h"
#include "common/error.h"
#include "common/text_view.h"
#include "tests/support/fake_transport.h"
#include "tests/support/manual_loop.h"

namespace coord {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// Tokens `token-1`, `token-2`, …: the next one once the last was dropped.
class FakeTokens final : public TokenSource {
 public:
  void Get(TokenRequest request, Done done) override {
    requests.push_back(request);
    if (!error.ok()) {
      std::move(done)(error);
    } else {
      std::move(done)(off ? "" : absl::StrCat("token-", dropped.size() + 1));
    }
  }
  void Drop(const std::string& token) override { dropped.push_back(token); }

  std::vector<TokenRequest> requests;
  std::vector<std::string> dropped;
  absl::Status error;
  bool off = false;
};

constexpr char kOwnRecord[] =
    R"({"serverId":"node-1","clusterBaseUrl":"http://a.test/base",)"
    R"("publicBaseUrl":"https://api.test","location":{"zone":"a"},)"
    R"("createdAt":"2026-11-24T02:18:03.000Z",)"
    R"("updatedAt":"2026-11-24T02:18:03.899Z"})";
constexpr char kOtherRecord[] =
    R"({"serverId":"node-2","clusterBaseUrl":"http://b.test",)"
    R"("publicBaseUrl":"https://api.test","location":null,)"
    R"("createdAt":"2026-11-24T02:18:01.000Z","weight":3})";

std::string ItResourceWith(const std::string& servers) {
  return absl::StrCat(
      R"({"id":"cluster-1","type":"mTest","publicBaseUrl":"https://api.test",)"
      R"("servers":[)",
      servers, "]}");
}

std::string RegisterAnswerJson() {
  return absl::StrCat(
      R"({"itResource":)",
      ItResourceWith(absl::StrCat(kOwnRecord, ",", kOtherRecord)),
      R"(,"leaseTime":60000})");
}

Server Own() {
  Server server;
  server.type = "mTest";
  server.server_id = "node-1";
  server.cluster_base_url = "http://a.test/base";
  server.public_base_url = "https://api.test";
  server.location_json = R"({"zone":"a"})";
  return server;
}

class MitRegistryTest : public testing::Test {
 protected:
  static MitRegistryOptions Options() {
    MitRegistryOptions options;
    options.url = {{.host = "mit.test", .port = 8443}, "/mIT/v1"};
    options.audience = "https://mit";
    options.version = "1.2.3";
    return options;
  }

  // Each starts a call whose result is in its member once it is there.
  void Register(RegisterRequest request = {.server = Own()}) {
    answer_.reset();
    registry_.Register(std::move(request),
                       [this](auto answer) { answer_ = std::move(answer); });
    EXPECT_FALSE(answer_.has_value()) << "answered inside the call";
    loop_.RunPosted();
  }
  void Remove(const std::string& version) {
    removal_.reset();
    registry_.Remove({"cluster-1", "node-2"}, "mTest", {{version}},
                     [this](auto removal) { removal_ = std::move(removal); });
    EXPECT_FALSE(removal_.has_value()) << "answered inside the call";
    loop_.RunPosted();
  }
  void Unregister() {
    removed_.reset();
    registry_.Unregister({"cluster-1", "node-1"}, "mTest",
                         [this](auto removed) { removed_ = removed.status(); });
    loop_.RunPosted();
  }

  absl::Status RegisterError() {
    return answer_ ? answer_->status() : absl::UnknownError("no answer yet");
  }

  // The one request that waits.
  const FakeTransport::Pending& Request() { return transport_.requests.at(0); }
  std::string Header(const std::string& name) {
    const std::string& tail = *Request().request.tail;
    const std::size_t begin = tail.find(name + ": ");
    if (begin == std::string::npos) return "none";
    const std::size_t value = begin + name.size() + 2;
    return tail.substr(value, tail.find("\r\n", value) - value);
  }
  std::string Body() {
    const std::string& tail = *Request().request.tail;
    return tail.substr(tail.find("\r\n\r\n") + 4);
  }

  ManualLoop loop_;
  FakeTransport transport_{loop_};
  FakeTokens tokens_;
  MitRegistry registry_{loop_, transport_, tokens_, Options()};

  std::optional<absl::StatusOr<RegisterAnswer>> answer_;
  std::optional<absl::StatusOr<Removal>> removal_;
  std::optional<absl::Status> removed_;
};

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
  EXPECT_TRUE(other.node_api);
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
  own.node_api = false;
  own.state = ServerState::kDraining;
  Register({.server = own});
  transport_.Answer(200, RegisterAnswerJson());

  ASSERT_TRUE(answer_ && answer_->ok()) << RegisterError();
  EXPECT_FALSE((*answer_)->record.node_api);
  EXPECT_EQ((*answer_)->record.state, ServerState::kDraining);
  EXPECT_EQ((*(*answer_)->servers)[0], (*answer_)->record);

  // In the answer to another registration of this process as well.
  Server other = Own();
  other.server_id = "node-2";
  other.cluster_base_url = "http://b.test";
  other.node_api = true;
  Register({.server = other});
  transport_.Answer(200, RegisterAnswerJson());
  ASSERT_TRUE(answer_ && answer_->ok()) << RegisterError();
  EXPECT_FALSE((*(*answer_)->servers)[0].node_api);
  EXPECT_TRUE((*answer_)->record.node_api);

  // But not once it lives elsewhere.
  std::string moved = RegisterAnswerJson();
  moved.replace(moved.find("a.test"), 6, "c.test");
  Register({.server = other});
  transport_.Answer(200, moved);
  ASSERT_TRUE(answer_ && answer_->ok()) << RegisterError();
  EXPECT_TRUE((*(*answer_)->servers)[0].node_api);
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

TEST_F(MitRegistryTest, UnregisterDeletesWhateverTheVersion) {
  Unregister();

  EXPECT_EQ(Request().ToString(),
            "DELETE http://mit.test:8443/mIT/v1/itResources/cluster-1/servers/"
            "node-1");
  EXPECT_EQ(Body(), "");
  transport_.Answer(200, R"({"data":"node-1"})");
  EXPECT_EQ(removed_, absl::OkStatus());
}

TEST_F(MitRegistryTest, UnregisterOfWhatIsGoneIsNoError) {
  Unregister();
  transport_.Answer(404, "");

  EXPECT_EQ(removed_, absl::OkStatus());
}

TEST_F(MitRegistryTest, UnregisterTellsWhatFailed) {
  Unregister();
  transport_.Answer(405, "");

  ASSERT_TRUE(removed_.has_value());
  EXPECT_EQ(StdView(removed_->message()),
            "unregister mTest/node-1: authority answered 405");
}

TEST_F(MitRegistryTest, RemovalNamesTheVersionLetterByLetter) {
  Remove("2026-11-24T02:18:01.000Z");

  EXPECT_EQ(Request().request.target,
            "/mIT/v1/itResources/cluster-1/servers/"
            "node-2@2026-11-24T02:18:01.000Z");
  transport_.Answer(200, R"({"data":"node-2"})");
  ASSERT_TRUE(removal_ && removal_->ok());
  EXPECT_TRUE(std::holds_alternative<Removed>(**removal_));
}

TEST_F(MitRegistryTest, RemovalSpeaksInTheNameOfOurOwnServer) {
  Register();
  transport_.Answer(200, RegisterAnswerJson());
  Remove("v");

  EXPECT_THAT(Header("user-agent"),
              testing::StartsWith("mimik-mTest/1.2.3/node-1 ("));
}

TEST_F(MitRegistryTest, NoNameOrVersionBreaksOutOfTheRequestLine) {
  registry_.Remove({"c/1", "no de"}, "mTest", {{"a b\r\nx: y?#@"}},
                   [](auto) {});
  loop_.RunPosted();

  EXPECT_EQ(
      Request().request.target,
      "/mIT/v1/itResources/c%2F1/servers/no%20de@a%20b%0D%0Ax:%20y%3F%23@");
}

TEST_F(MitRegistryTest, RemovalOfWhatIsGoneCountsAsRemoved) {
  Remove("v");
  transport_.Answer(404, "");

  ASSERT_TRUE(removal_ && removal_->ok());
  EXPECT_TRUE(std::holds_alternative<Removed>(**removal_));
}

TEST_F(MitRegistryTest, ANewerRecordStays) {
  Remove("2026-11-24T02:18:00.000Z");
  transport_.Answer(200, absl::StrCat(R"({"server":)", kOtherRecord, "}"));

  ASSERT_TRUE(removal_ && removal_->ok());
  ASSERT_TRUE(std::holds_alternative<NewerRecord>(**removal_));
  const Server& record = std::get<NewerRecord>(**removal_).record;
  EXPECT_EQ(record.server_id, "node-2");
  EXPECT_EQ(record.type, "mTest");
  EXPECT_EQ(record.version.text, "2026-11-24T02:18:01.000Z");
}

TEST_F(MitRegistryTest, ARemovalWithABadAnswerRemovesNothing) {
  for (const auto& [body, cause] :
       std::vector<std::pair<std::string, std::string>>{
           {"", "it is not JSON"},
           {"{}", "it has neither data nor server"},
           {R"({"data":null})", "it has neither data nor server"},
           {R"({"server":{}})", "server.serverId: must be a string, not empty"},
           {absl::StrCat(R"({"server":)", kOwnRecord, "}"),
            "it is about another server"}}) {
    Remove("v");
    transport_.Answer(200, body);
    ASSERT_TRUE(removal_.has_value());
    EXPECT_TRUE(HasReason(removal_->status(), Reason::kAuthorityBadAnswer));
    EXPECT_EQ(
        StdView(removal_->status().message()),
        "remove mTest/node-2: the authority's answer makes no sense: " + cause);
  }
}

TEST_F(MitRegistryTest, WithoutAVersionNothingIsRemoved) {
  Remove("");

  ASSERT_TRUE(removal_.has_value());
  EXPECT_TRUE(HasReason(removal_->status(), Reason::kAuthorityBadAnswer));
  EXPECT_THAT(transport_.requests, IsEmpty());
}

}  // namespace
}  // namespace coord
