#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/text_view.h"
#include "tests/unit/registry/mit_registry_fixture.h"

namespace coord {
namespace {

using ::testing::IsEmpty;

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
