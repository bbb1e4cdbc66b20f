// What tests of registrations share: real parts, an authority and a network
// that the test answers.
#ifndef TESTS_UNIT_NODE_NODE_FIXTURE_H_
#define TESTS_UNIT_NODE_NODE_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/core/membership.h"
#include "server/node/peers.h"
#include "server/node/registrar.h"
#include "server/node/registration_store.h"
#include "server/node/self_doubt.h"
#include "server/registry/database.h"
#include "server/registry/it_resource.h"
#include "tests/support/eviction_counts.h"
#include "tests/support/fake_registry.h"
#include "tests/support/fake_transport.h"
#include "tests/support/manual_loop.h"

namespace coord {

class NodeFixture : public ::testing::Test {
 protected:
  NodeFixture() : database_(*Database::Open({})), store_(*database_) {
    Restart();
  }

  // A new life of the process, with the store and the authority as they were.
  void Restart(RegistrarOptions options = {}) {
    registrar_.reset();
    doubt_.reset();
    peers_.reset();
    membership_ = std::make_unique<Membership>(
        MembershipOptions{.pushed = registry_.pushes_changes}, "epoch");
    peers_ = std::make_unique<Peers>(
        loop_, transport_, nullptr, [](const Server&) { return false; },
        PeersOptions{.management = options.management});
    doubt_ = std::make_unique<SelfDoubt>(
        loop_, *membership_, [this](bool active) { alarms_.push_back(active); },
        [this] { return near_limits_; });
    options.last_standstill = [this] { return standstill_; };
    registrar_ =
        std::make_unique<Registrar>(loop_, registry_, store_, *membership_,
                                    *peers_, *doubt_, observer_, options);
  }

  // Until neither the loop nor the store's thread has anything left to do.
  void Settle() {
    do {
      ASSERT_TRUE(
          database_->Run([](sqlite3*) { return absl::OkStatus(); }).ok());
    } while (loop_.RunPosted() > 0);
  }
  // Lets time pass in steps, so that stores and timers keep up.
  void Advance(absl::Duration by) {
    loop_.Advance(by);
    Settle();
  }

  // Lets time pass in which the process did not run.
  void StandStill(absl::Duration by) {
    loop_.Stall(by);
    standstill_ = loop_.Now();
  }

  static Server ServerOf(const std::string& id) {
    Server server;
    server.type = "mTest";
    server.server_id = id;
    server.cluster_base_url = "http://" + id + ".test/x";
    return server;
  }
  static RegisterCommand Command(
      const std::string& id,
      std::optional<absl::Duration> ttl = absl::Hours(24)) {
    RegisterCommand command;
    command.server = ServerOf(id);
    command.ttl = ttl;
    return command;
  }
  static RegistrationRef Ref(const std::string& id,
                             const std::string& session = "") {
    return {"mTest", "", id, session};
  }
  static ServerKey Key(const std::string& id) { return {"c-mTest", id}; }

  absl::StatusOr<RegistrationView> Register(RegisterCommand command) {
    std::optional<absl::StatusOr<RegistrationView>> answer;
    registrar_->Register(std::move(command),
                         [&](auto a) { answer = std::move(a); });
    Settle();
    if (!answer) return absl::DeadlineExceededError("no answer yet");
    return *std::move(answer);
  }
  RegistrationView Registered(RegisterCommand command) {
    auto view = Register(std::move(command));
    EXPECT_TRUE(view.ok()) << view.status();
    return view.ok() ? *std::move(view) : RegistrationView();
  }
  // Without a ttl; its service answers at once.
  RegistrationView RegisteredOnceProbed(const RegisterCommand& command) {
    RegistrationView view = Registered(command);
    EXPECT_EQ(view.state, RegistrationState::kPending);
    AnswerAlive();
    return view;
  }
  absl::StatusOr<RegistrationView> Get(const std::string& id) {
    std::optional<absl::StatusOr<RegistrationView>> answer;
    registrar_->Get(Ref(id), [&](auto a) { answer = std::move(a); });
    loop_.RunPosted();
    return *std::move(answer);
  }
  RegistrationState StateOf(const std::string& id) {
    auto view = Get(id);
    EXPECT_TRUE(view.ok()) << view.status();
    return view.ok() ? view->state : RegistrationState::kUnregistering;
  }
  bool IsHeld(const std::string& id) { return Get(id).ok(); }
  absl::StatusOr<KeepAliveAnswer> KeepAlive(const std::string& session) {
    std::optional<absl::StatusOr<KeepAliveAnswer>> answer;
    registrar_->KeepAlive(session, [&](auto a) { answer = std::move(a); });
    loop_.RunPosted();
    return *std::move(answer);
  }
  std::optional<absl::StatusOr<UnregisterAnswer>>& Unregister(
      const RegistrationRef& ref) {
    unregistered_.reset();
    registrar_->Unregister(ref,
                           [this](auto a) { unregistered_ = std::move(a); });
    Settle();
    return unregistered_;
  }

  std::size_t Requests() const { return transport_.requests.size(); }
  // `POST http://a.test/x/itResources`.
  std::string Sent(std::size_t i = 0) const {
    return transport_.requests.at(i).ToString();
  }
  // Up to the next request, in steps that leave it unanswered.
  void AwaitRequest(absl::Duration limit) {
    const absl::Time end = loop_.Now() + limit;
    Advance(absl::ZeroDuration());
    while (Requests() == 0 && loop_.Now() < end) Advance(absl::Seconds(1));
    ASSERT_EQ(Requests(), 1u);
  }
  void AnswerAlive() {
    transport_.Answer(200, "{}");
    Settle();
  }
  // Which says nothing about the server.
  void AnswerNoName() {
    transport_.Fail(HttpError::Kind::kUnresolved, false);
    Settle();
  }
  void AnswerDead() {
    transport_.Finish(HttpError{HttpError::Kind::kUnreachable, false, false,
                                "made to fail", /*refused=*/true});
    Settle();
  }
  // A server of the same cluster that somebody else holds.
  void AddStranger(const std::string& id, bool node_api = true) {
    Server server = ServerOf(id);
    server.node_api = NodeApiIf(node_api);
    server.version = {"stranger-" + id};
    registry_.Add("c-mTest", server);
  }
  ServerPtr Member(const std::string& id) {
    auto cluster = membership_->Snapshot("mTest", "c-mTest");
    return cluster.ok() ? (*cluster)->Find(id) : nullptr;
  }
  std::vector<StoredRegistration> Stored() {
    auto stored = store_.Load();
    EXPECT_TRUE(stored.ok()) << stored.status();
    return *std::move(stored);
  }

  ManualLoop loop_;
  absl::Time standstill_ = absl::InfinitePast();  // the end of the last one
  FakeTransport transport_{loop_};
  FakeRegistry registry_{loop_};
  std::unique_ptr<Database> database_;
  RegistrationStore store_;
  std::unique_ptr<Membership> membership_;
  std::unique_ptr<Peers> peers_;
  std::unique_ptr<SelfDoubt> doubt_;
  std::vector<bool> alarms_;  // of doubt_
  std::string near_limits_;   // as doubt_ is told
  EvictionCounts observer_;
  std::unique_ptr<Registrar> registrar_;
  std::optional<absl::StatusOr<UnregisterAnswer>> unregistered_;
};

}  // namespace coord

#endif  // TESTS_UNIT_NODE_NODE_FIXTURE_H_
