// The embedded registry against the acceptance suite, on disk and in memory.
#include <memory>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "server/registry/database.h"
#include "server/registry/embedded_registry.h"
#include "tests/contract/registry_contract.h"
#include "tests/support/manual_loop.h"
#include "tests/support/temp_dir.h"

namespace coord {
namespace {

const EmbeddedRegistryOptions kOptions{.lease = absl::Seconds(30),
                                       .expiry_grace = absl::Seconds(60)};

class EmbeddedHarness final : public RegistryHarness {
 public:
  enum class Where { kDisk, kMemory };

  explicit EmbeddedHarness(Where where) : where_(where) { Start(); }

  RegistryCapabilities capabilities() const override {
    return {.survives_restart = where_ == Where::kDisk};
  }
  Registry& registry() override { return *registry_; }

  std::vector<Published> TakeChanges() override {
    absl::MutexLock lock(&mutex_);
    return std::exchange(changes_, {});
  }

  absl::Time Now() override { return loop_.Now(); }

  void AdvanceTime(absl::Duration by) override {
    loop_.Advance(by);
    // A sweep that fell due waits in the queue, and arms the next.
    EXPECT_TRUE(database_->Run([](sqlite3*) { return absl::OkStatus(); }).ok());
    loop_.RunPosted();
  }
  absl::Duration life_without_renewal() const override {
    return 2 * kOptions.lease + kOptions.expiry_grace;
  }

  void Restart() override {
    registry_.reset();
    database_.reset();
    Start();
  }

 private:
  void Start() {
    auto database =
        Database::Open({.data_dir = where_ == Where::kDisk ? dir_.path() : ""});
    ASSERT_TRUE(database.ok()) << database.status();
    database_ = *std::move(database);
    auto registry = EmbeddedRegistry::Create(
        *database_, loop_, kOptions,
        [this](const ClusterIdentity& cluster, const Change& change) {
          absl::MutexLock lock(&mutex_);
          changes_.emplace_back(cluster, change);
        });
    ASSERT_TRUE(registry.ok()) << registry.status();
    registry_ = *std::move(registry);
    loop_.RunPosted();
  }

  const Where where_;
  TempDir dir_;
  ManualLoop loop_;
  absl::Mutex mutex_;
  std::vector<Published> changes_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Database> database_;
  std::unique_ptr<EmbeddedRegistry> registry_;
};

std::unique_ptr<RegistryHarness> OnDisk() {
  return std::make_unique<EmbeddedHarness>(EmbeddedHarness::Where::kDisk);
}
std::unique_ptr<RegistryHarness> InMemory() {
  return std::make_unique<EmbeddedHarness>(EmbeddedHarness::Where::kMemory);
}

INSTANTIATE_TEST_SUITE_P(Embedded, RegistryContract,
                         testing::Values(&OnDisk, &InMemory),
                         [](const auto& info) {
                           return info.index == 0 ? "OnDisk" : "InMemory";
                         });

}  // namespace
}  // namespace coord
