// Everything bad that a caller may send, over real gRPC: each is refused with
// code, reason and text, and nothing of it reaches a node.
#include <grpcpp/generic/generic_stub.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/await.h"
#include "tests/support/cluster_fixture.h"

namespace coord {
namespace {

using testing::ElementsAre;

struct BadField {
  std::string name;
  std::function<void(pb::FanOutRequest&)> spoil;
  std::string violation;
};

std::string Name(const testing::TestParamInfo<BadField>& info) {
  return info.param.name;
}

std::vector<std::string> Violations(const absl::Status& status) {
  std::vector<std::string> texts;
  for (const auto& [field, description] : DetailOf(status).violations) {
    texts.push_back(absl::StrCat(field, ": ", description));
  }
  return texts;
}

BadField BadPath(std::string name, std::string path, std::string rule) {
  return {std::move(name),
          [path](pb::FanOutRequest& request) {
            request.mutable_http()->set_path(path);
          },
          absl::StrCat("http.path: ", rule)};
}

BadField BadHeader(std::string name, std::string header, std::string value,
                   std::string violation) {
  return {std::move(name),
          [header, value](pb::FanOutRequest& request) {
            pb::Header* added = request.mutable_http()->add_headers();
            added->set_name(header);
            added->set_value(value);
          },
          absl::StrCat("http.headers[0].", violation)};
}

BadField RefusedHeader(std::string name, std::string header) {
  return BadHeader(std::move(name), std::move(header), "x",
                   "name: must not be a header that clusterd sets itself or "
                   "that is about one connection only");
}

BadField BadTimeout(std::string name, std::int64_t seconds, std::int32_t nanos,
                    std::string rule) {
  return {std::move(name),
          [seconds, nanos](pb::FanOutRequest& request) {
            request.mutable_attempt_timeout()->set_seconds(seconds);
            request.mutable_attempt_timeout()->set_nanos(nanos);
          },
          absl::StrCat("attempt_timeout: ", rule)};
}

class BadFieldTest : public ClusterTest,
                     public testing::WithParamInterface<BadField> {};

TEST_P(BadFieldTest, IsRefusedAndNothingIsSent) {
  HttpNode& node = AddNode("node-1");
  pb::FanOutRequest request = GetCall("/info");
  GetParam().spoil(request);
  const absl::Status status = FanOut(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(HasReason(status, Reason::kInvalidField)) << status;
  EXPECT_THAT(Violations(status), ElementsAre(GetParam().violation));
  EXPECT_EQ(std::string(status.message()), GetParam().violation);
  EXPECT_EQ(node.calls(), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Target, BadFieldTest,
    testing::Values(
        BadField{"EmptyType",
                 [](pb::FanOutRequest& request) { request.clear_type(); },
                 "type: must be given, or cluster_id"},
        BadField{"TypeWithASpace",
                 [](pb::FanOutRequest& request) { request.set_type("a b"); },
                 "type: must match [A-Za-z][A-Za-z0-9_-]{0,63}"},
        BadField{"NoCall",
                 [](pb::FanOutRequest& request) { request.clear_http(); },
                 "http: must be set"},
        BadField{"Connect",
                 [](pb::FanOutRequest& request) {
                   request.mutable_http()->set_method("CONNECT");
                 },
                 "http.method: must be neither CONNECT nor TRACE"},
        BadField{"MethodWithALineBreak",
                 [](pb::FanOutRequest& request) {
                   request.mutable_http()->set_method("GET / HTTP/1.1\r\n");
                 },
                 "http.method: must be a token of at most 32 bytes"}),
    Name);

INSTANTIATE_TEST_SUITE_P(
    Path, BadFieldTest,
    testing::Values(
        BadPath("AbsoluteUrl", "http://evil/", "must start with /"),
        BadPath("Empty", "", "must start with /"),
        BadPath("AnotherHost", "//host", "must start with a single /"),
        BadPath("UpAndOut", "/../x", "must not leave its base by .."),
        BadPath("EncodedUpAndOut", "/%2e%2e/x",
                "must not leave its base by .."),
        BadPath("LaterUpAndOut", "/a/../../x", "must not leave its base by .."),
        BadPath("LineBreak", "/x\r\nhost: evil",
                "must not contain control characters"),
        BadPath("EncodedLineBreak", "/x%0d%0a",
                "must not contain encoded control characters"),
        BadPath("Query", "/x?y", "must not contain ?"),
        BadField{"QueryWithALineBreak",
                 [](pb::FanOutRequest& request) {
                   request.mutable_http()->set_query("a=b\r\n");
                 },
                 "http.query: must not contain control characters"}),
    Name);

INSTANTIATE_TEST_SUITE_P(
    Header, BadFieldTest,
    testing::Values(
        BadHeader("ValueWithALineBreak", "x-a", "1\r\nx-evil: 2",
                  "value: must not hold control characters"),
        BadHeader("ValueWithANewline", "x-a", "1\nx-evil: 2",
                  "value: must not hold control characters"),
        BadHeader("NameWithALineBreak", "x-a: 1\r\nx-evil", "2",
                  "name: must be a token"),
        BadHeader("NoName", "", "2", "name: must be a token"),
        RefusedHeader("Host", "host"), RefusedHeader("HostInCapitals", "HOST"),
        RefusedHeader("Connection", "connection"),
        RefusedHeader("TransferEncoding", "Transfer-Encoding"),
        RefusedHeader("ContentLength", "content-length"),
        BadField{"TwoAuthorizations",
                 [](pb::FanOutRequest& request) {
                   for (const char* name : {"Authorization", "authorization"}) {
                     pb::Header* header = request.mutable_http()->add_headers();
                     header->set_name(name);
                     header->set_value("Bearer a");
                   }
                 },
                 "http.headers[1].name: must not be there twice"},
        RefusedHeader("Te", "te"), RefusedHeader("Upgrade", "upgrade"),
        RefusedHeader("Expect", "expect"), RefusedHeader("Trailer", "trailer"),
        RefusedHeader("ProxyAuthorization", "Proxy-Authorization")),
    Name);

INSTANTIATE_TEST_SUITE_P(
    Duration, BadFieldTest,
    testing::Values(BadTimeout("Negative", -1, 0, "must be 1ms to 10m"),
                    BadTimeout("Zero", 0, 0, "must not be zero"),
                    BadTimeout("TooLong", 601, 0, "must be 1ms to 10m"),
                    BadTimeout("Huge", 9'223'372'036'854'775'807, 999'999'999,
                               "is not a valid duration"),
                    BadTimeout("MixedSigns", 1, -1, "is not a valid duration"),
                    BadTimeout("TooManyNanos", 1, 1'000'000'000,
                               "is not a valid duration"),
                    BadField{"NegativeBackoff",
                             [](pb::FanOutRequest& request) {
                               request.mutable_retry()
                                   ->mutable_initial_backoff()
                                   ->set_seconds(-1);
                             },
                             "retry.initial_backoff: must be 0 to 10m"}),
    Name);

class BadRequestTest : public ClusterTest {};

TEST_F(BadRequestTest, AnUnknownClusterIsNotFound) {
  const absl::Status status = FanOut(GetCall("/info")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(HasReason(status, Reason::kClusterNotFound)) << status;
  EXPECT_EQ(std::string(status.message()),
            "find cluster of type mTest: none is known here");
}

TEST_F(BadRequestTest, AnOriginThatIsNoMemberIsRefused) {
  HttpNode& node = AddNode("node-1");
  pb::FanOutRequest request = GetCall("/info");
  request.set_origin_server_id("stranger");
  const absl::Status status = FanOut(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(HasReason(status, Reason::kNotRegistered)) << status;
  EXPECT_THAT(std::string(status.message()),
              testing::HasSubstr(": origin stranger is not a member: "));
  EXPECT_EQ(node.calls(), 0);
}

TEST_F(BadRequestTest, APolicyThatCannotBeMetIsRefused) {
  HttpNode& node = AddNode("node-1");
  pb::FanOutRequest request = GetCall("/info");
  request.mutable_policy()->set_at_least(2);
  const absl::Status status = FanOut(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(HasReason(status, Reason::kPolicyImpossible)) << status;
  EXPECT_EQ(std::string(status.message()),
            "call cluster: the policy needs 2 results, but only 1 servers can "
            "be called");
  EXPECT_EQ(node.calls(), 0);
}

TEST_F(BadRequestTest, ABodyOfTenMegabytesIsTooLargeForGrpc) {
  HttpNode& node = AddNode("node-1");
  pb::FanOutRequest request = GetCall("/info");
  request.mutable_http()->set_method("POST");
  const std::string half(5'000'000, 'x');
  request.mutable_http()->set_body(half + half);
  const absl::Status status = FanOut(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()),
              testing::HasSubstr("larger than max"));
  EXPECT_FALSE(DetailOf(status).reason.has_value());
  EXPECT_EQ(node.calls(), 0);
}

TEST_F(BadRequestTest, BytesThatAreNoRequestAreRefused) {
  const std::string type_ff = "\x0a\x01\xff";
  grpc::Slice slice(type_ff);
  const grpc::ByteBuffer request(&slice, 1);
  grpc::ByteBuffer response;
  grpc::ClientContext context;
  grpc::GenericStub stub(channel_);
  const auto status = Await<grpc::Status>([&](auto done) {
    stub.UnaryCall(&context, "/mimik.cluster.v1.FanOutService/FanOut",
                   grpc::StubOptions(), &request, &response, done);
  });
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(Violations(FromGrpcStatus(status)),
              ElementsAre("request: is no mimik.cluster.v1.FanOutRequest"));
}

TEST_F(BadRequestTest, ABadRegistrationNamesEveryField) {
  pb::RegisterServerRequest request =
      Registration("no/id", "ftp://example.com", false);
  request.mutable_server()->clear_type();
  request.mutable_ttl()->set_seconds(86'401);
  const absl::Status status = Register(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(
      Violations(status),
      ElementsAre("server.type: must match [A-Za-z][A-Za-z0-9_-]{0,63}",
                  "server.server_id: must match [A-Za-z0-9._~-]{1,128} and be "
                  "neither . nor ..",
                  "server.cluster_base_url: must be an absolute http or https "
                  "URL",
                  "ttl: must be from 1s to 24h"));
}

TEST_F(BadRequestTest, ATtlThatIsNoneIsRefused) {
  pb::RegisterServerRequest request =
      Registration("node-1", "http://127.0.0.1:1", false);
  for (const std::int64_t seconds : {-1, 0}) {
    request.mutable_ttl()->set_seconds(seconds);
    EXPECT_THAT(Violations(Register(request).status()),
                ElementsAre("ttl: must be from 1s to 24h"));
  }
  request.mutable_ttl()->set_seconds(9'223'372'036'854'775'807);
  EXPECT_THAT(Violations(Register(request).status()),
              ElementsAre("ttl: is not a valid duration"));
}

TEST(PortInUseTest, StartSaysWhichAddressAndWhy) {
  const auto first = ClusterServer::Start(TestConfig());
  ASSERT_TRUE(first.ok()) << first.status();

  Config config = TestConfig();
  config.grpc_address = (*first)->grpc_address();
  absl::Status status = ClusterServer::Start(config).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(std::string(status.message()),
            absl::StrCat("listen for gRPC on ", config.grpc_address,
                         ": address already in use"));

  config = TestConfig();
  const std::string taken = (*first)->http_address();
  config.http_address = taken;
  config.listener.port =
      static_cast<std::uint16_t>(std::stoi(taken.substr(taken.rfind(':') + 1)));
  status = ClusterServer::Start(config).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(std::string(status.message()),
            absl::StrCat("listen on ", taken, ": address already in use"));
}

}  // namespace
}  // namespace coord
