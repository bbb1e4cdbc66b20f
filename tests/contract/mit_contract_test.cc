// The registry of mIT against the acceptance suite, over real HTTP, with the
// real token service client, against a stand-in.
#include <memory>
#include <utility>

#include "server/http/asio_loop.h"
#include "server/http/client.h"
#include "server/registry/mit_registry.h"
#include "server/registry/token_service.h"
#include "tests/contract/registry_contract.h"
#include "tests/contract/stand_in_mit.h"
#include "tests/support/client_resources.h"

namespace coord {
namespace {

class MitHarness final : public RegistryHarness {
 public:
  MitHarness() { Start(); }
  ~MitHarness() override { Stop(); }

  // What mIT can't offer, and what nobody has seen of it.
  RegistryCapabilities capabilities() const override {
    return {
        // Whether it expires records is unknown.
        .expires_leases = false,
        // Evidence is the version alone; a renewal must show in it.
        .sees_renewals = false,
        // Each registration sets `updatedAt`.
        .keeps_version_of_unchanged = false,
        // Its records have no place for them.
        .stores_draining = false,
        .stores_node_api = false,
    };
  }

  Registry& registry() override { return *registry_; }
  std::vector<Published> TakeChanges() override { return {}; }
  absl::Time Now() override { return loop_->Now(); }
  void AdvanceTime(absl::Duration /*by*/) override {}
  absl::Duration life_without_renewal() const override {
    return absl::InfiniteDuration();
  }

  // Of our side: what mIT keeps is its own affair.
  void Restart() override {
    Stop();
    Start();
  }

 private:
  void Start() {
    const Origin origin{.host = "127.0.0.1", .port = mit_.port()};
    loop_ = std::make_unique<AsioLoop>("mit-client");
    auto client = HttpClient::Create(*loop_, resources_.get(), {});
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
    TokenServiceOptions tokens;
    tokens.origin = origin;
    tokens.path = "/oauth/token";
    tokens.credentials.Set(std::string(Credentials::kAnyType),
                           {.client_id = "client", .client_secret = "secret"});
    tokens_ =
        std::make_unique<TokenService>(*loop_, *client_, std::move(tokens));
    MitRegistryOptions options;
    options.url = {origin, "/mIT/v1"};
    options.audience = "https://mit.test";
    registry_ = std::make_unique<MitRegistry>(*loop_, *client_, *tokens_,
                                              std::move(options));
  }

  void Stop() {
    loop_->Stop();
    registry_.reset();
    tokens_.reset();
    client_.reset();
  }

  StandInMit mit_;
  TestResources resources_;
  std::unique_ptr<AsioLoop> loop_;
  std::unique_ptr<HttpClient> client_;
  std::unique_ptr<TokenService> tokens_;
  std::unique_ptr<MitRegistry> registry_;
};

std::unique_ptr<RegistryHarness> MakeMitHarness() {
  return std::make_unique<MitHarness>();
}

INSTANTIATE_TEST_SUITE_P(Mit, RegistryContract,
                         testing::Values(&MakeMitHarness),
                         [](const auto&) { return "StandIn"; });

}  // namespace
}  // namespace coord
