#include "server/rpc/convert.h"

#include <limits>
#include <string>

#include "common/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/rpc/json_value.h"

namespace coord {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

google::protobuf::Duration Proto(std::int64_t seconds, std::int32_t nanos) {
  google::protobuf::Duration duration;
  duration.set_seconds(seconds);
  duration.set_nanos(nanos);
  return duration;
}

std::vector<std::string> Texts(const Violations& violations) {
  std::vector<std::string> texts;
  for (const FieldViolation& violation : violations) {
    texts.push_back(violation.field + ": " + violation.description);
  }
  return texts;
}

// What is wrong with `duration`.
std::vector<std::string> Wrong(const google::protobuf::Duration& duration) {
  Violations violations;
  const auto value = DurationField("ttl", duration, &violations);
  EXPECT_EQ(value.has_value(), violations.empty());
  return Texts(violations);
}

pb::RegisterServerRequest ValidRequest() {
  pb::RegisterServerRequest request;
  request.mutable_server()->set_type("mTest");
  request.mutable_server()->set_server_id("node-1");
  request.mutable_server()->set_cluster_base_url("http://10.0.0.1:8080/base");
  return request;
}

TEST(DurationFieldTest, KeepsEveryDuration) {
  Violations violations;
  EXPECT_EQ(DurationField("ttl", Proto(1, 500'000'000), &violations),
            absl::Milliseconds(1500));
  EXPECT_EQ(DurationField("ttl", Proto(-1, -500'000'000), &violations),
            absl::Milliseconds(-1500));
  EXPECT_EQ(DurationField("ttl", Proto(0, 0), &violations),
            absl::ZeroDuration());
  EXPECT_EQ(DurationField("ttl", Proto(315'576'000'000, 0), &violations),
            absl::Seconds(315'576'000'000));
  EXPECT_THAT(violations, IsEmpty());
}

TEST(DurationFieldTest, RefusesWhatIsNoDuration) {
  const auto malformed = ElementsAre("ttl: is not a valid duration");
  EXPECT_THAT(Wrong(Proto(1, 1'000'000'000)), malformed);
  EXPECT_THAT(Wrong(Proto(1, -1)), malformed);
  EXPECT_THAT(Wrong(Proto(-1, 1)), malformed);
  EXPECT_THAT(Wrong(Proto(315'576'000'001, 0)), malformed);
  EXPECT_THAT(Wrong(Proto(std::numeric_limits<std::int64_t>::min(), 0)),
              malformed);
  EXPECT_THAT(Wrong(Proto(5, std::numeric_limits<std::int32_t>::min())),
              malformed);
}

TEST(ToProtoTest, DurationsKeepTheirSignAndAreCut) {
  google::protobuf::Duration out;
  ToProto(absl::Milliseconds(1500), &out);
  EXPECT_EQ(out.seconds(), 1);
  EXPECT_EQ(out.nanos(), 500'000'000);
  ToProto(absl::Milliseconds(-1500), &out);
  EXPECT_EQ(out.seconds(), -1);
  EXPECT_EQ(out.nanos(), -500'000'000);
  ToProto(absl::InfiniteDuration(), &out);
  EXPECT_EQ(out.seconds(), 315'576'000'000);
  EXPECT_EQ(out.nanos(), 0);
}

TEST(ToProtoTest, TimesThatATimestampCannotHoldAreLeftOut) {
  google::protobuf::Timestamp out;
  EXPECT_TRUE(ToProto(absl::FromUnixMillis(-1), &out));
  EXPECT_EQ(out.seconds(), -1);
  EXPECT_EQ(out.nanos(), 999'000'000);
  EXPECT_FALSE(ToProto(absl::InfinitePast(), &out));
  EXPECT_FALSE(ToProto(absl::InfiniteFuture(), &out));
  EXPECT_FALSE(ToProto(absl::FromUnixSeconds(253'402'300'800), &out));
}

TEST(ToProtoTest, ServersKeepEveryField) {
  Server server;
  server.type = "mTest";
  server.server_id = "node-1";
  server.cluster_base_url = "http://10.0.0.1:8080/base";
  server.public_base_url = "https://example.com";
  server.location_json = R"({"city":"Berlin"})";
  server.node_api = NodeApi::kYes;
  server.state = ServerState::kSuspected;
  server.create_time = absl::FromUnixSeconds(1);
  server.version = {"v1"};
  pb::Server out;
  ToProto(server, &out);
  EXPECT_EQ(out.type(), "mTest");
  EXPECT_EQ(out.server_id(), "node-1");
  EXPECT_EQ(out.cluster_base_url(), "http://10.0.0.1:8080/base");
  EXPECT_EQ(out.public_base_url(), "https://example.com");
  EXPECT_EQ(*JsonFromValue(out.location()), server.location_json);
  EXPECT_TRUE(out.node_api());
  EXPECT_EQ(out.state(), pb::SERVER_STATE_SUSPECTED);
  EXPECT_EQ(out.create_time().seconds(), 1);
  EXPECT_FALSE(out.has_update_time());
  EXPECT_EQ(out.etag(), "v1");
}

TEST(ToProtoTest, InvalidUtf8IsEscaped) {
  Server server;
  server.public_base_url = "http://\xff";
  server.version = {"\xc3"};
  pb::Server out;
  ToProto(server, &out);
  EXPECT_EQ(out.public_base_url(), "http://%FF");
  EXPECT_EQ(out.etag(), "%C3");
}

TEST(ToProtoTest, RegistrationsTellTheirStatus) {
  RegistrationView view;
  view.server.cluster_base_url = "http://10.0.0.1:8080";
  view.local_base_url = "http://127.0.0.1:8080";
  view.session_id = "s";
  view.state = RegistrationState::kPending;
  view.ttl = absl::Seconds(30);
  view.announcement.expected = 3;
  view.announcement.answered = 2;
  view.announcement.failed = {{"node-2", "no answer"}};
  view.server_count = 4;
  pb::Registration out;
  ToProto(view, "2 of 3 servers fail", &out);
  EXPECT_EQ(out.local_base_url(), "http://127.0.0.1:8080");
  EXPECT_EQ(out.state(), pb::REGISTRATION_STATE_PENDING);
  EXPECT_EQ(out.ttl().seconds(), 30);
  EXPECT_FALSE(out.has_lease_duration());
  EXPECT_FALSE(out.has_register_time());
  EXPECT_EQ(out.announcement().expected(), 3);
  EXPECT_EQ(out.announcement().answered(), 2);
  EXPECT_EQ(out.announcement().failed(), 1);
  EXPECT_EQ(out.status().server_count(), 4);
  EXPECT_EQ(out.status().url(), "http://10.0.0.1:8080");
  EXPECT_TRUE(out.status().self_preservation());
  EXPECT_EQ(out.status().self_preservation_cause(), "2 of 3 servers fail");
}

TEST(FromProtoTest, RegistrationsKeepWhatTheCallerSays) {
  pb::RegisterServerRequest request = ValidRequest();
  request.mutable_server()->set_node_api(true);
  request.mutable_server()->set_etag("ignored");
  request.mutable_server()->set_state(pb::SERVER_STATE_DRAINING);
  request.mutable_server()->mutable_location()->set_string_value("Berlin");
  request.set_local_base_url("http://127.0.0.1:8080");
  request.set_session_id("s");
  *request.mutable_ttl() = Proto(30, 0);
  const auto command = FromProto(request);
  ASSERT_TRUE(command.ok()) << command.status();
  EXPECT_EQ(command->server.type, "mTest");
  EXPECT_EQ(command->server.server_id, "node-1");
  EXPECT_EQ(command->server.cluster_base_url, "http://10.0.0.1:8080/base");
  EXPECT_EQ(command->server.location_json, "\"Berlin\"");
  EXPECT_EQ(command->server.node_api, NodeApi::kYes);
  EXPECT_EQ(command->server.state, ServerState::kActive);
  EXPECT_EQ(command->server.version.text, "");
  EXPECT_EQ(command->local_base_url, "http://127.0.0.1:8080");
  EXPECT_EQ(command->session_id, "s");
  EXPECT_EQ(command->ttl, absl::Seconds(30));
  EXPECT_FALSE(command->wait.has_value());
}

TEST(FromProtoTest, NoTtlMeansProbing) {
  EXPECT_FALSE(FromProto(ValidRequest())->ttl.has_value());
}

TEST(FromProtoTest, WhatARegistrationCannotExpressIsToldAtOnce) {
  pb::RegisterServerRequest request = ValidRequest();
  request.mutable_server()->mutable_location();
  *request.mutable_ttl() = Proto(1, -1);
  const absl::Status refused = FromProto(request).status();
  EXPECT_TRUE(HasReason(refused, Reason::kInvalidField));
  EXPECT_THAT(
      Texts(DetailOf(refused).violations),
      ElementsAre("server.location: must not contain a value of no kind",
                  "ttl: is not a valid duration"));
}

TEST(RefFromProtoTest, AnIdStandsForItsType) {
  pb::GetRegistrationRequest request;
  request.set_cluster_id("c1");
  request.set_server_id("node-1");
  EXPECT_TRUE(RefFromProto(request).ok());
  request.clear_cluster_id();
  EXPECT_EQ(RefFromProto(request).status().message(),
            "type: must match [A-Za-z][A-Za-z0-9_-]{0,63}");
}

TEST(RefFromProtoTest, AServerIdThatIsNoneIsRefused) {
  pb::GetRegistrationRequest request;
  request.set_type("mTest");
  request.set_server_id("a/b");
  const absl::Status refused = RefFromProto(request).status();
  EXPECT_TRUE(HasReason(refused, Reason::kInvalidField));
  EXPECT_EQ(refused.message(),
            "server_id: must match [A-Za-z0-9._~-]{1,128} and be neither . nor "
            "..");
}

TEST(RefFromProtoTest, SessionsAreTakenWhereARequestHasThem) {
  pb::DrainServerRequest request;
  request.set_type("mTest");
  request.set_server_id("node-1");
  request.set_session_id("s");
  const auto ref = RefFromProto(request);
  ASSERT_TRUE(ref.ok());
  EXPECT_EQ(ref->session_id, "s");
}

}  // namespace
}  // namespace coord
