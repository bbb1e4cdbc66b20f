// A clusterd that is stopped while somebody waits for an answer.
#ifndef TESTS_INTEGRATION_STOP_FIXTURE_H_
#define TESTS_INTEGRATION_STOP_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <future>
#include <mutex>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/error.h"
#include "server/node/token_issuer.h"
#include "tests/support/cluster_fixture.h"
#include "tests/support/held_store.h"
#include "tests/support/raw_client.h"
#include "tests/support/silent_authority.h"
#include "tests/support/temp_dir.h"

namespace coord {

inline constexpr char kNowhere[] = "http://127.0.0.1:1";
// What `call` returns, on a thread of its own.
template <typename Call>
auto Later(Call call) {
  return std::async(std::launch::async, std::move(call));
}

MATCHER_P(IsDraining, text, "") {
  *result_listener << arg;
  return arg.code() == absl::StatusCode::kUnavailable &&
         HasReason(arg, Reason::kDraining) &&
         DetailOf(arg).retry_after.has_value() && arg.message() == text;
}

// A failure of one server that a fan-out did not wait for.
MATCHER_P(IsGivenUp, certainty, "") {
  *result_listener << arg.ShortDebugString();
  return arg.reason() == pb::FAILURE_REASON_CANCELLED &&
         arg.certainty() == certainty &&
         arg.message().find("this clusterd is shutting down") !=
             std::string::npos;
}

// What a clusterd needs before it starts.
struct StopScene {
  TempDir dir;
  HeldStore store;
  SilentAuthority authority;
};

enum class Authority { kEmbedded, kMit, kMitWithTokens };

// With a data_dir, and registrations that are kept, or without either.
class StopTest : protected StopScene,
                 public testing::WithParamInterface<bool>,
                 public ClusterTest {
 protected:
  explicit StopTest(Authority kind = Authority::kEmbedded)
      : ClusterTest(Settings(kind, dir, authority)) {}

  static bool Lasting() { return GetParam(); }

  static Config Settings(Authority kind, const TempDir& dir,
                         const SilentAuthority& authority) {
    Config config = TestConfig();
    config.drain_timeout = absl::Milliseconds(100);
    config.on_shutdown = OnShutdown::kUnregister;
    if (Lasting()) {
      config.data_dir = dir / "data";
      config.on_shutdown = OnShutdown::kKeep;
    }
    config.fanout.max_calls = 1;
    config.fanout.max_queue_time = absl::Hours(1);
    if (kind == Authority::kEmbedded) {
      config.serve_mit.emplace();
    } else {
      config.mit = authority.Settings(kind == Authority::kMitWithTokens);
    }
    return config;
  }

  std::uint16_t HttpPort() const {
    int port = 0;
    const std::string address = server_->http_address();
    EXPECT_TRUE(
        absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
    return static_cast<std::uint16_t>(port);
  }
  // All that the HTTP listener answers until it closes.
  std::string Talk(const std::string& request) const {
    RawClient client(HttpPort());
    client.Write(request);
    return client.ReadAll();
  }
  std::string Get(const std::string& path) const {
    return Talk(absl::StrCat(
        "GET ", path, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  }
  void WaitForMetric(const std::string& line) const {
    while (Get("/metrics").find("\n" + line + "\n") == std::string::npos) {
    }
  }
  void WaitUntilMetricIsNot(const std::string& line) const {
    while (Get("/metrics").find("\n" + line + "\n") != std::string::npos) {
    }
  }

  // A server that takes requests and answers none.
  RawServer& AddSilentNode(const std::string& server_id) {
    return AddRawNode(server_id, SilentScript());
  }
  RawServer::Script SilentScript() {
    return [this](RawPeer& peer, int) {
      if (!peer.ReadRequest().empty()) {
        std::call_once(first_, [this] { asked_.Notify(); });
      }
      peer.WaitForClose();
    };
  }
  absl::StatusOr<pb::EvictServerResponse> Evict(const std::string& server_id) {
    pb::EvictServerRequest request;
    request.set_type("mTest");
    request.set_server_id(server_id);
    request.set_etag(EtagOf(server_id));
    pb::EvictServerResponse response;
    const absl::Status status =
        Do(&pb::RegistryService::Stub::EvictServer, request, &response);
    if (!status.ok()) return status;
    return response;
  }
  std::string EtagOf(const std::string& server_id) {
    pb::ListServersRequest request;
    request.set_type("mTest");
    pb::ListServersResponse response;
    EXPECT_TRUE(
        Do(&pb::RegistryService::Stub::ListServers, request, &response).ok());
    for (const auto& server : response.servers()) {
      if (server.server_id() == server_id) return server.etag();
    }
    return "unknown";
  }
  // UNSPECIFIED for one that is not held.
  pb::RegistrationState StateOf(const std::string& server_id) {
    pb::GetRegistrationRequest request;
    request.set_type("mTest");
    request.set_server_id(server_id);
    pb::GetRegistrationResponse response;
    Do(&pb::RegistryService::Stub::GetRegistration, request, &response)
        .IgnoreError();
    return response.registration().state();
  }

  std::once_flag first_;
  absl::Notification asked_;  // a silent node
};

inline std::string ParamName(const testing::TestParamInfo<bool>& info) {
  return info.param ? "WithDataDir" : "InMemory";
}

}  // namespace coord

#endif  // TESTS_INTEGRATION_STOP_FIXTURE_H_
