// A client of mIT whose authority is the test.
#ifndef TESTS_UNIT_REGISTRY_MIT_REGISTRY_FIXTURE_H_
#define TESTS_UNIT_REGISTRY_MIT_REGISTRY_FIXTURE_H_

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/registry/mit_registry.h"
#include "tests/support/fake_transport.h"
#include "tests/support/manual_loop.h"

namespace coord {

// Tokens `token-1`, `token-2`, …: the next one once the last was dropped.
class FakeTokens final : public TokenSource {
 public:
  void Get(TokenRequest request, Done done) override {
    requests.push_back(request);
    if (keep) {
      kept.push_back(std::move(done));
    } else if (!error.ok()) {
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
  bool keep = false;  // as one that does not answer
  std::vector<Done> kept;
};

inline constexpr char kOwnRecord[] =
    R"({"serverId":"node-1","clusterBaseUrl":"http://a.test/base",)"
    R"("publicBaseUrl":"https://api.test","location":{"zone":"a"},)"
    R"("createdAt":"2026-11-24T02:18:03.000Z",)"
    R"("updatedAt":"2026-11-24T02:18:03.899Z"})";
inline constexpr char kOtherRecord[] =
    R"({"serverId":"node-2","clusterBaseUrl":"http://b.test",)"
    R"("publicBaseUrl":"https://api.test","location":null,)"
    R"("createdAt":"2026-11-24T02:18:01.000Z","weight":3})";

inline std::string ItResourceWith(const std::string& servers) {
  return absl::StrCat(
      R"({"id":"cluster-1","type":"mTest","publicBaseUrl":"https://api.test",)"
      R"("servers":[)",
      servers, "]}");
}

inline std::string RegisterAnswerJson() {
  return absl::StrCat(
      R"({"itResource":)",
      ItResourceWith(absl::StrCat(kOwnRecord, ",", kOtherRecord)),
      R"(,"leaseTime":60000})");
}

inline Server Own() {
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

}  // namespace coord

#endif  // TESTS_UNIT_REGISTRY_MIT_REGISTRY_FIXTURE_H_
