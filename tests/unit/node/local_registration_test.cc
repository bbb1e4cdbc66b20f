// Registrations of services that clusterd serves the cluster for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "common/error.h"
#include "tests/unit/node/node_fixture.h"

namespace coord {
namespace {

constexpr char kLocalUrl[] = "http://127.0.0.1:8080/base";

class LocalRegistrationTest : public NodeFixture {
 protected:
  LocalRegistrationTest() {
    Restart({.advertised_address = "clusterd.test:7780"});
  }

  static RegisterCommand Local(
      const std::string& id,
      std::optional<absl::Duration> ttl = absl::Hours(24)) {
    RegisterCommand command = Command(id, ttl);
    command.server.cluster_base_url.clear();
    command.local_base_url = kLocalUrl;
    return command;
  }
  std::string WhyRefused(RegisterCommand command) {
    const absl::Status status = Register(std::move(command)).status();
    EXPECT_TRUE(HasReason(status, Reason::kInvalidField)) << status;
    return std::string(status.message());
  }
  void RestartAt(const std::string& address) {
    Restart({.advertised_address = address});
    registrar_->Resume(Stored());
    registrar_->StartResumed();
    Settle();
  }
};

TEST_F(LocalRegistrationTest, TheClusterFindsItAtOurListener) {
  const RegistrationView view = Registered(Local("a"));
  EXPECT_EQ(view.local_base_url, kLocalUrl);
  EXPECT_EQ(view.server.cluster_base_url, "http://clusterd.test:7780/mTest/a");
  EXPECT_EQ(view.server.node_api, NodeApi::kYes);
  ASSERT_NE(Member("a"), nullptr);
  EXPECT_EQ(Member("a")->cluster_base_url, "http://clusterd.test:7780/mTest/a");
  EXPECT_EQ(Member("a")->node_api, NodeApi::kYes);
}

TEST_F(LocalRegistrationTest, AChosenIdIsPartOfTheAddress) {
  const Server server = Registered(Local("")).server;
  EXPECT_EQ(server.cluster_base_url,
            "http://clusterd.test:7780/mTest/" + server.server_id);
}

TEST_F(LocalRegistrationTest, ExactlyOneAddressIsToBeGiven) {
  RegisterCommand command = Local("a");
  command.server.cluster_base_url = "http://a.test";
  EXPECT_EQ(WhyRefused(command),
            "local_base_url: must not be given together with "
            "server.cluster_base_url");
  command = Command("a");
  command.server.cluster_base_url.clear();
  EXPECT_EQ(WhyRefused(command),
            "server.cluster_base_url: must be an absolute http or https URL, "
            "or give a local_base_url");
}

TEST_F(LocalRegistrationTest, TheAddressFollowsTheRulesOfBaseUrls) {
  RegisterCommand command = Local("a");
  command.local_base_url = "127.0.0.1:8080";
  EXPECT_EQ(WhyRefused(command),
            "local_base_url: must be an absolute http or https URL");
  command.local_base_url = "http://clusterd.test:7780/mTest/a";
  EXPECT_EQ(WhyRefused(command),
            "local_base_url: must not be the address of clusterd itself");
}

TEST_F(LocalRegistrationTest, OneAddressIsForOneServer) {
  Registered(Local("a"));
  Registered(Local("a"));  // a new incarnation of the same
  RegisterCommand other = Local("a");
  other.server.public_base_url = "https://other.test";
  const std::string why =
      "server.server_id: is that of a server in another cluster, and both "
      "would have one address at this clusterd";
  EXPECT_EQ(WhyRefused(other), why);
  other = Command("a");
  other.server.public_base_url = "https://other.test";
  EXPECT_EQ(WhyRefused(other), why);
  Registered(Command("b"));
  other = Command("b");
  other.server.public_base_url = "https://other.test";
  Registered(other);
}

TEST_F(LocalRegistrationTest, WhereOthersCannotReachUsTheSettingIsNamed) {
  Restart();
  EXPECT_EQ(WhyRefused(Local("a")),
            "local_base_url: needs the setting --advertise: clusterd's HTTP "
            "listener has an unspecified address, by which no other server "
            "reaches it");
}

TEST_F(LocalRegistrationTest, TheServiceItselfIsProbed) {
  Registered(Local("a", std::nullopt));
  AwaitRequest(absl::ZeroDuration());
  EXPECT_EQ(Sent(), "GET http://127.0.0.1:8080/base");
  AnswerAlive();
  for (int miss = 0; miss < 3; ++miss) {
    EXPECT_NE(Member("a"), nullptr);
    AwaitRequest(absl::Seconds(12));
    AnswerDead();
  }
  EXPECT_EQ(Member("a"), nullptr);
}

TEST_F(LocalRegistrationTest, ALeaveThatNamesItMakesUsProbeTheService) {
  Registered(Local("a"));
  membership_->MergeLeave("c-mTest", "a", loop_.WallTime());
  registrar_->Contested(Key("a"), Claim::kLeaveTold);
  Advance(absl::ZeroDuration());
  ASSERT_EQ(Requests(), 1u);
  EXPECT_EQ(Sent(), "GET http://127.0.0.1:8080/base");
}

TEST_F(LocalRegistrationTest, ARestartElsewhereMovesTheAddress) {
  const std::string session = Registered(Local("a")).session_id;
  RestartAt("moved.test:7781");
  ASSERT_TRUE(KeepAlive(session).ok());
  Settle();
  EXPECT_EQ(Get("a")->local_base_url, kLocalUrl);
  EXPECT_EQ(Member("a")->cluster_base_url, "http://moved.test:7781/mTest/a");
}

TEST_F(LocalRegistrationTest, ARestartWithoutAnAddressKeepsTheLastOne) {
  Registered(Local("a"));
  RestartAt("");
  EXPECT_EQ(Get("a")->server.cluster_base_url,
            "http://clusterd.test:7780/mTest/a");
}

TEST_F(LocalRegistrationTest, ItMayMoveAndBecomeOneWithItsOwnAddress) {
  RegisterCommand command = Local("a");
  command.session_id = Registered(command).session_id;
  const int calls = registry_.register_calls;
  command.local_base_url = "http://127.0.0.1:9090";
  EXPECT_EQ(Registered(command).local_base_url, "http://127.0.0.1:9090");
  EXPECT_EQ(registry_.register_calls, calls);  // the cluster sees no change
  EXPECT_EQ(Stored().at(0).local_base_url, "http://127.0.0.1:9090");

  command.local_base_url.clear();
  command.server.cluster_base_url = "http://a.test/x";
  EXPECT_EQ(Registered(command).local_base_url, "");
  EXPECT_EQ(Member("a")->cluster_base_url, "http://a.test/x");
  EXPECT_EQ(Member("a")->node_api, NodeApi::kNo);
}

}  // namespace
}  // namespace coord
