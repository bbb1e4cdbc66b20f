#include "server/registry/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/text_view.h"
#include "tests/support/temp_dir.h"

namespace coord {
namespace {

class CredentialsTest : public testing::Test {
 protected:
  std::string Write(const std::string& name, std::string_view content) {
    std::ofstream(dir_ / name) << content;
    return dir_ / name;
  }

  // The error of a file with that content, without its beginning.
  std::string ErrorOf(std::string_view content) {
    const std::string path = Write("credentials.json", content);
    const absl::Status status = Credentials::FromFile(path).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    const std::string message(status.message());
    const std::string beginning = "read credentials " + path + ": ";
    EXPECT_TRUE(message.starts_with(beginning)) << message;
    return message.substr(std::min(beginning.size(), message.size()));
  }

  TempDir dir_;
};

TEST_F(CredentialsTest, AFileTellsTypesApart) {
  const std::string path = Write("credentials.json", R"({
    "mTest": {"client_id": "id-1", "client_secret": "secret-1",
              "audience": "https://test", "client_audience": "ca",
              "client_access_key": "ck", "generic_audience": "ga",
              "generic_key": "gk", "generic_previous_key": "gpk"},
    "mOther": {"client_id": "id-2", "client_secret": "secret-2"}})");

  auto credentials = Credentials::FromFile(path);

  ASSERT_TRUE(credentials.ok()) << credentials.status();
  const TypeCredentials* test = credentials->Find("mTest");
  ASSERT_NE(test, nullptr);
  EXPECT_EQ(test->client_id, "id-1");
  EXPECT_EQ(test->client_secret, "secret-1");
  EXPECT_EQ(test->audience, "https://test");
  EXPECT_EQ(test->client_audience, "ca");
  EXPECT_EQ(test->client_access_key, "ck");
  EXPECT_EQ(test->generic_audience, "ga");
  EXPECT_EQ(test->generic_key, "gk");
  EXPECT_EQ(test->generic_previous_key, "gpk");
  ASSERT_NE(credentials->Find("mOther"), nullptr);
  EXPECT_EQ(credentials->Find("mOther")->client_id, "id-2");
  EXPECT_EQ(credentials->Find("mThird"), nullptr);
}

TEST_F(CredentialsTest, AnyTypeStandsForTheRest) {
  Credentials credentials;
  credentials.Set("mTest", {.client_id = "own"});
  credentials.Set(std::string(Credentials::kAnyType), {.client_id = "any"});

  EXPECT_EQ(credentials.Find("mTest")->client_id, "own");
  EXPECT_EQ(credentials.Find("mOther")->client_id, "any");
}

TEST_F(CredentialsTest, SecretsMayBeInFilesOfTheirOwn) {
  const std::string secret = Write("secret", "s3cret\n");
  const std::string path =
      Write("credentials.json",
            absl::StrCat(R"({"mTest":{"client_id":"id","client_secret_file":")",
                         secret, R"("}})"));

  auto credentials = Credentials::FromFile(path);

  ASSERT_TRUE(credentials.ok()) << credentials.status();
  EXPECT_EQ(credentials->Find("mTest")->client_secret, "s3cret");
}

TEST_F(CredentialsTest, CallsAreForWhatTheNodesOfTheTypeCheck) {
  TypeCredentials credentials{.client_audience = "client"};
  EXPECT_EQ(credentials.CallAudience(), "client");
  credentials.generic_audience = "generic";
  EXPECT_EQ(credentials.CallAudience(), "generic");
  credentials.audience = "type";
  EXPECT_EQ(credentials.CallAudience(), "type");
}

TEST_F(CredentialsTest, NodesCheckByTheGenericPairWhereThereIsAKey) {
  TypeCredentials credentials{.client_audience = "client",
                              .client_access_key = "own",
                              .generic_audience = "generic"};
  EXPECT_EQ(credentials.NodeAudience(), "client");
  EXPECT_EQ(credentials.NodeKey(), "own");
  credentials.generic_key = "shared";
  EXPECT_EQ(credentials.NodeAudience(), "generic");
  EXPECT_EQ(credentials.NodeKey(), "shared");
}

TEST_F(CredentialsTest, WhatIsWrongIsNamedWithoutItsValue) {
  EXPECT_EQ(ErrorOf("[]"), "not an object");
  EXPECT_THAT(ErrorOf("{"), testing::StartsWith("not JSON: "));
  EXPECT_EQ(ErrorOf(R"({"mTest":1})"), "mTest: not an object");
  EXPECT_EQ(ErrorOf(R"({"mTest":{"client_secret":"hush"}})"),
            "mTest: client_id is missing");
  EXPECT_EQ(ErrorOf(R"({"mTest":{"client_id":"hush"}})"),
            "mTest: client_secret is missing");
  EXPECT_EQ(ErrorOf(R"({"mTest":{"client_id":7}})"),
            "mTest.client_id: not a string");
  EXPECT_EQ(ErrorOf(R"({"mTest":{"clientId":"hush"}})"),
            "mTest.clientId: unknown member");
  EXPECT_EQ(ErrorOf(R"({"m Test":{}})"),
            "a type must match [A-Za-z][A-Za-z0-9_-]{0,63}, or be *");
}

TEST_F(CredentialsTest, AMissingFileIsNamed) {
  EXPECT_EQ(StdView(Credentials::FromFile(dir_ / "none").status().message()),
            "read " + dir_ / "none" + ": can't be opened");
  EXPECT_EQ(
      ErrorOf(absl::StrCat(R"({"mTest":{"client_secret_file":")", dir_ / "none",
                           R"("}})")),
      "mTest.client_secret_file: read " + dir_ / "none" + ": can't be opened");
}

TEST_F(CredentialsTest, SecretFilesLoseTheirLastLineEndOnly) {
  EXPECT_EQ(*ReadSecretFile(Write("s", "a b\n")), "a b");
  EXPECT_EQ(*ReadSecretFile(Write("s", "a\r\n")), "a");
  EXPECT_EQ(*ReadSecretFile(Write("s", "a\n\n")), "a\n");
  EXPECT_EQ(*ReadSecretFile(Write("s", " a ")), " a ");
}

TEST_F(CredentialsTest, SecretFilesAreNeitherEmptyNorEndless) {
  const std::string path = Write("s", "\n");
  EXPECT_EQ(ReadSecretFile(path).status(),
            absl::InvalidArgumentError("read " + path + ": empty"));
  EXPECT_EQ(ReadSecretFile("/dev/zero").status(),
            absl::InvalidArgumentError("read /dev/zero: over 65536 bytes"));
}

}  // namespace
}  // namespace coord
