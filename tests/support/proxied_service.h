// A service without any cluster code, and callers that reach it through
// clusterd.
#ifndef TESTS_SUPPORT_PROXIED_SERVICE_H_
#define TESTS_SUPPORT_PROXIED_SERVICE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tests/support/cluster_fixture.h"
#include "tests/support/raw_client.h"
#include "tests/support/raw_server.h"

namespace coord {

class ProxiedServiceTest : public ClusterTest {
 protected:
  using ClusterTest::ClusterTest;

  // Registers mTest/plain, whose connections follow the script.
  void StartService(RawServer::Script script) {
    service_ = std::make_unique<RawServer>(std::move(script));
    pb::RegisterServerRequest request = Registration("plain", "", false);
    request.set_local_base_url(
        absl::StrCat("http://127.0.0.1:", service_->port()));
    const auto registration = Register(request);
    ASSERT_TRUE(registration.ok()) << registration.status();
  }

  // To clusterd, which has the service at `/mTest/plain`.
  RawClient Connect() {
    int port = 0;
    const std::string address = server_->http_address();
    EXPECT_TRUE(
        absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
    return RawClient(static_cast<std::uint16_t>(port));
  }

  std::unique_ptr<RawServer> service_;
};

}  // namespace coord

#endif  // TESTS_SUPPORT_PROXIED_SERVICE_H_
