#include "server/registry/it_resource.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "common/correlation_id.h"
#include "common/error.h"

namespace coord {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kTwoServers = R"({
  "id": "c1", "type": "mTest", "publicBaseUrl": "https://m.example/x",
  "servers": [
    {"serverId": "a", "clusterBaseUrl": "http://10.0.0.1/x",
     "publicBaseUrl": "https://m.example/x", "location": {"city": "Ulm"},
     "createdAt": "2026-11-24T02:18:03.899Z",
     "updatedAt": "2026-11-24T03:18:03.899Z",
     "zone": "z1", "tags": [1, 2]},
    {"serverId": "b", "clusterBaseUrl": "http://10.0.0.2/x",
     "createdAt": "2026-11-24T02:00:00.000Z"}
  ]})";

ItResource Parsed(std::string_view json) {
  absl::StatusOr<ItResource> result = ParseItResource(json);
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? *std::move(result) : ItResource();
}

std::string ErrorOf(std::string_view json) {
  const absl::Status status = ParseItResource(json).status();
  EXPECT_TRUE(HasReason(status, Reason::kInvalidField)) << status;
  return std::string(status.message());
}

TEST(ItResourceTest, ReadsIdentityAndServers) {
  const ItResource resource = Parsed(kTwoServers);
  EXPECT_EQ(resource.identity,
            (ClusterIdentity{"c1", "mTest", "https://m.example/x"}));
  ASSERT_EQ(resource.servers.size(), 2u);
  const Server& a = resource.servers[0];
  EXPECT_EQ(a.type, "mTest");
  EXPECT_EQ(a.server_id, "a");
  EXPECT_EQ(a.cluster_base_url, "http://10.0.0.1/x");
  EXPECT_EQ(a.location_json, R"({"city":"Ulm"})");
  EXPECT_EQ(a.node_api, NodeApi::kUnknown);
  EXPECT_EQ(a.create_time, ParseDate("2026-11-24T02:18:03.899Z"));
  EXPECT_EQ(a.update_time, ParseDate("2026-11-24T03:18:03.899Z"));
  EXPECT_EQ(a.version.text, "2026-11-24T03:18:03.899Z");
}

TEST(ItResourceTest, VersionFallsBackToTheDateOfCreation) {
  const Server b = Parsed(kTwoServers).servers[1];
  EXPECT_EQ(b.version.text, "2026-11-24T02:00:00.000Z");
  EXPECT_EQ(b.update_time, b.create_time);
  EXPECT_EQ(b.public_base_url, "https://m.example/x");
  EXPECT_EQ(b.location_json, "null");
}

TEST(ItResourceTest, ADateThatIsNoneIsTheOldest) {
  const ItResource resource = Parsed(
      R"({"id":"c","type":"t","servers":[
          {"serverId":"a","clusterBaseUrl":"u","updatedAt":"yesterday"}]})");
  EXPECT_EQ(resource.servers[0].update_time, absl::InfinitePast());
  EXPECT_EQ(resource.servers[0].version.text, "yesterday");
}

TEST(ItResourceTest, UnknownMembersOfServersArePassedOn) {
  const ItResource resource = Parsed(kTwoServers);
  EXPECT_EQ(resource.servers[0].extra_json, R"({"zone":"z1","tags":[1,2]})");
  EXPECT_EQ(resource.servers[1].extra_json, "");

  ClusterSnapshot snapshot;
  snapshot.identity = resource.identity;
  for (const Server& server : resource.servers) {
    snapshot.servers.Put(std::make_shared<Server>(server));
  }
  const ItResource again = Parsed(ItResourceJson(snapshot));
  EXPECT_EQ(again.identity, resource.identity);
  EXPECT_EQ(again.servers[0], resource.servers[0]);
}

TEST(ItResourceTest, WritesDatesAsTheAuthorityWroteThem) {
  ClusterSnapshot snapshot;
  Server server = Parsed(kTwoServers).servers[0];
  server.version = {"2026-11-24T03:18:03.899000Z"};
  snapshot.servers.Put(std::make_shared<Server>(server));
  EXPECT_THAT(ItResourceJson(snapshot),
              HasSubstr(R"("updatedAt":"2026-11-24T03:18:03.899)"));
}

TEST(ItResourceTest, LeavesOutDatesThatAreUnknown) {
  ClusterSnapshot snapshot;
  snapshot.identity = {"c", "t", ""};
  Server server;
  server.server_id = "a\"b";
  snapshot.servers.Put(std::make_shared<Server>(server));
  EXPECT_EQ(ItResourceJson(snapshot),
            R"({"id":"c","type":"t","publicBaseUrl":"","servers":[)"
            R"({"serverId":"a\"b","clusterBaseUrl":"","publicBaseUrl":"",)"
            R"("location":null}]})");
}

TEST(ItResourceTest, NamesTheMemberThatIsWrong) {
  EXPECT_THAT(ErrorOf("{"), HasSubstr("itResource: is not JSON"));
  EXPECT_THAT(ErrorOf("[]"), HasSubstr("itResource: must be an object"));
  EXPECT_THAT(ErrorOf(R"({"type":"t","servers":[]})"), HasSubstr("id: "));
  EXPECT_THAT(ErrorOf(R"({"id":"c","servers":[]})"), HasSubstr("type: "));
  EXPECT_THAT(ErrorOf(R"({"id":"c","type":"t"})"), HasSubstr("servers: "));
  EXPECT_THAT(ErrorOf(R"({"id":"c","type":"t","servers":[1]})"),
              HasSubstr("servers[0]: must be an object"));
  EXPECT_THAT(ErrorOf(R"({"id":"c","type":"t","servers":[
                          {"serverId":"a","clusterBaseUrl":"u"},
                          {"serverId":"b"}]})"),
              HasSubstr("servers[1].clusterBaseUrl: "));
}

TEST(ItResourceTest, RefusesWhatIsTooDeepOrTooLarge) {
  std::string deep = R"({"id":"c","type":"t","servers":[],"x":)";
  deep += std::string(40, '[') + std::string(40, ']') + "}";
  EXPECT_THAT(ErrorOf(deep), HasSubstr("is not JSON"));
  EXPECT_THAT(ErrorOf(std::string((1 << 20) + 1, ' ')),
              HasSubstr("at most 1 MiB"));
}

TEST(ItResourceTest, RefusesInvalidUtf8) {
  EXPECT_THAT(ErrorOf("{\"id\":\"\xff\",\"type\":\"t\",\"servers\":[]}"),
              HasSubstr("is not JSON"));
}

TEST(ItResourceTest, NodeAnswerNamesTheServer) {
  const std::string answer = NodeAnswer("[1,2]", "a");
  EXPECT_EQ(answer, R"({"data":[1,2],"server":{"serverId":"a"}})");
  EXPECT_EQ(AnsweringServerId(answer), "a");
}

TEST(ItResourceTest, AnAnswerMayNameNobody) {
  for (std::string_view answer :
       {"", "[]", "{}", R"({"server":1})", R"({"server":{"serverId":1}})"}) {
    EXPECT_EQ(AnsweringServerId(answer), "") << answer;
  }
}

std::string RegistrationError(std::string_view json) {
  const absl::Status status = ParseRegistration(json).status();
  EXPECT_TRUE(HasReason(status, Reason::kInvalidField)) << status;
  return std::string(status.message());
}

TEST(ParseRegistrationTest, ReadsWhatAServerRegistersItselfWith) {
  const auto server = ParseRegistration(
      R"({"type":"mTest","serverId":"a","clusterBaseUrl":"http://a.test/x",)"
      R"("publicBaseUrl":"https://m.example","location":[1],"zone":"z1"})");
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ(server->type, "mTest");
  EXPECT_EQ(server->server_id, "a");
  EXPECT_EQ(server->cluster_base_url, "http://a.test/x");
  EXPECT_EQ(server->public_base_url, "https://m.example");
  EXPECT_EQ(server->location_json, "[1]");
  EXPECT_EQ(server->extra_json, R"({"zone":"z1"})");
  EXPECT_EQ(server->node_api, NodeApi::kUnknown);
}

TEST(ParseRegistrationTest, WhatIsLeftOutIsEmpty) {
  const auto server = ParseRegistration(
      R"({"type":"mTest","serverId":"a","clusterBaseUrl":"http://a.test"})");
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ(server->public_base_url, "");
  EXPECT_EQ(server->location_json, "null");
  EXPECT_EQ(server->extra_json, "");
}

TEST(ParseRegistrationTest, WhatIsWrongIsNamed) {
  auto with = [](const std::string& members) {
    return RegistrationError(
        R"({"type":"mTest","serverId":"a","clusterBaseUrl":"http://a.test",)" +
        members + "}");
  };
  EXPECT_THAT(RegistrationError("{"), HasSubstr("registration: is not JSON"));
  EXPECT_EQ(RegistrationError("7"), "registration: must be an object");
  EXPECT_EQ(RegistrationError("{}"),
            "type: must match [A-Za-z][A-Za-z0-9_-]{0,63}");
  EXPECT_EQ(with(R"("type":"m Test")"),
            "type: must match [A-Za-z][A-Za-z0-9_-]{0,63}");
  EXPECT_THAT(with(R"("serverId":"a b")"),
              HasSubstr("serverId: must match [A-Za-z0-9._~-]{1,128}"));
  EXPECT_THAT(with(R"("serverId":7)"), HasSubstr("must be a string"));
  EXPECT_THAT(with(R"("clusterBaseUrl":"nowhere")"),
              HasSubstr("clusterBaseUrl: must be an absolute"));
  EXPECT_EQ(with(R"("publicBaseUrl":"a\nb")"),
            "publicBaseUrl: must be at most 2048 bytes, no control characters");
  EXPECT_EQ(with(R"("location":")" + std::string(16 << 10, 'x') + "\""),
            "registration: must be at most 16 KiB");
}

}  // namespace
}  // namespace coord
