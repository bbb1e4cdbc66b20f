// A service without any cluster code, for which clusterd serves the cluster.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/http/router.h"
#include "tests/support/cluster_fixture.h"
#include "tests/support/raw_client.h"

namespace coord {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// `{"data":<data>,"server":{"serverId":"plain"}}`.
std::string Answer(const std::string& data) {
  return absl::StrCat(R"({"data":)", data,
                      R"(,"server":{"serverId":"plain"}})");
}

Config AdvertisedNowhere() {
  Config config = TestConfig();
  config.listener.host = "0.0.0.0";
  return config;
}

class LocalServiceTest : public ClusterTest {
 protected:
  explicit LocalServiceTest(const Config& config = TestConfig())
      : ClusterTest(config) {
    service_.AnswerBy([this](HttpServerRequest request, HttpReply reply) {
      if (request.path == "/silent") {
        silent_ = std::move(reply);
      } else if (request.path == "/large") {
        std::move(reply)({200, {}, std::string((3 << 20) + 1, 'x')});
      } else if (request.path == "/echo") {
        std::move(reply)(JsonAnswer(
            200, absl::StrCat(R"({"host":")",
                              std::string(FindHeader(request.headers, "host")),
                              R"(","query":")", request.query, R"(","size":)",
                              request.body.size(), "}")));
      } else {
        std::move(reply)({418,
                          {{"content-type", "text/plain"}},
                          "no tea at " + request.path});
      }
    });
  }
  static pb::RegisterServerRequest Local(const std::string& url,
                                         const std::string& id = "plain") {
    pb::RegisterServerRequest request = Registration(id, "", false);
    request.set_local_base_url(url);
    return request;
  }
  // Sends bytes to clusterd's HTTP listener; all it answers until it closes.
  std::string Talk(const std::string& bytes) {
    int port = 0;
    const std::string address = server_->http_address();
    EXPECT_TRUE(
        absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
    RawClient client(static_cast<std::uint16_t>(port));
    client.Write(bytes);
    return client.ReadAll();
  }
  std::string Get(const std::string& path) {
    return Talk(absl::StrCat(
        "GET ", path, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  }

  HttpReply silent_;  // to a request that is not answered
  HttpNode service_{node_loop_, "of the service itself"};
};

TEST_F(LocalServiceTest, AFanOutGetsItsAnswers) {
  const auto registration = Register(Local(service_.base_url()));
  ASSERT_TRUE(registration.ok()) << registration.status();
  EXPECT_EQ(registration->local_base_url(), service_.base_url());
  EXPECT_EQ(registration->server().cluster_base_url(),
            absl::StrCat("http://", server_->http_address(), "/mTest/plain"));
  EXPECT_TRUE(registration->server().node_api());
  AddNode("genuine");

  pb::FanOutRequest request = GetCall("/echo");
  request.mutable_http()->set_query("a=%20");
  const auto response = FanOut(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->verdict(), pb::VERDICT_COMPLETE);
  EXPECT_EQ(response->data_json(),
            absl::StrCat(R"([{"id":"genuine"},{"host":")",
                         absl::StripPrefix(service_.base_url(), "http://"),
                         R"(","query":"a=%20","size":0}])"));

  const auto failed = FanOut(GetCall("/tea"));
  ASSERT_TRUE(failed.ok()) << failed.status();
  ASSERT_EQ(failed->failures_size(), 1);
  EXPECT_EQ(failed->failures(0).server_id(), "plain");
  EXPECT_EQ(failed->failures(0).http_status(), 418);
  EXPECT_EQ(failed->failures(0).body(), "no tea at /tea");
  EXPECT_EQ(service_.joins(), 0);
  EXPECT_EQ(service_.leaves(), 0);
}

TEST_F(LocalServiceTest, OneFanOutMayComeBackToClusterdOften) {
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(
        Register(Local(service_.base_url(), absl::StrCat("plain-", i))).ok());
  }
  const auto response = FanOut(GetCall("/echo"));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->verdict(), pb::VERDICT_COMPLETE);
  EXPECT_EQ(response->results_size(), 50);
  EXPECT_EQ(service_.calls(), 50);
}

TEST_F(LocalServiceTest, APeerCallsItThroughTheListener) {
  ASSERT_TRUE(Register(Local(service_.base_url())).ok());
  EXPECT_THAT(
      Talk("POST /mTest/plain/echo HTTP/1.1\r\nHost: x\r\n"
           "X-Correlation-Id: abc@4/D\r\nConnection: close\r\n"
           "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
      AllOf(StartsWith("HTTP/1.1 200 OK\r\n"),
            HasSubstr("x-correlation-id: abc@5/D\r\n"), HasSubstr("\"size\":5"),
            EndsWith(R"("server":{"serverId":"plain"}})")));
  // The node API is clusterd's.
  EXPECT_THAT(Talk("DELETE /mTest/plain/itResources/-/servers/- HTTP/1.1\r\n"
                   "Host: x\r\nConnection: close\r\n\r\n"),
              EndsWith(Answer("null")));
  EXPECT_THAT(Get("/mTest/plain/itResources"), HasSubstr("HTTP/1.1 418 "));
  EXPECT_THAT(Get("/mTest/other/echo"),
              HasSubstr("find mTest/other: it is not registered here"));
}

TEST_F(LocalServiceTest, WhatIsTooLargeIs413EitherWay) {
  ASSERT_TRUE(Register(Local(service_.base_url())).ok());
  EXPECT_THAT(Get("/mTest/plain/large"),
              AllOf(StartsWith("HTTP/1.1 413 "),
                    HasSubstr("body is over 3145728 bytes")));
  EXPECT_THAT(Talk("PUT /mTest/plain/echo HTTP/1.1\r\nHost: x\r\n"
                   "Content-Length: 9999999\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 413 "),
                    HasSubstr("body is over 1048576 bytes")));
}

TEST_F(LocalServiceTest, ADeadServiceIs502) {
  const std::string url = service_.base_url();
  ASSERT_TRUE(Register(Local("http://127.0.0.1:1")).ok());
  EXPECT_THAT(Get("/mTest/plain/echo"),
              AllOf(StartsWith("HTTP/1.1 502 Bad Gateway\r\n"),
                    HasSubstr("connect 127.0.0.1:1: connection refused")));
}

class ImpatientTest : public LocalServiceTest {
 protected:
  ImpatientTest() : LocalServiceTest(Impatient()) {}
  static Config Impatient() {
    Config config = TestConfig();
    config.fanout.request_timeout = absl::Milliseconds(20);
    return config;
  }
};

TEST_F(ImpatientTest, ASilentServiceIs504) {
  ASSERT_TRUE(Register(Local(service_.base_url())).ok());
  EXPECT_THAT(Get("/mTest/plain/silent"),
              AllOf(StartsWith("HTTP/1.1 504 Gateway Timeout\r\n"),
                    HasSubstr("no answer within 20ms")));
}

class AdvertisedNowhereTest : public LocalServiceTest {
 protected:
  AdvertisedNowhereTest() : LocalServiceTest(AdvertisedNowhere()) {}
};

TEST_F(AdvertisedNowhereTest, TheSettingIsNamed) {
  const absl::Status status = Register(Local(service_.base_url())).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("needs the setting --advertise"));
}

}  // namespace
}  // namespace coord
