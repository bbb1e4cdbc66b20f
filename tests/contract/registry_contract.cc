#include "tests/contract/registry_contract.h"

#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "common/text_view.h"
#include "tests/support/await.h"

namespace coord {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

ServerKey KeyOf(const RegisterAnswer& answer) {
  return {answer.cluster.id, answer.record.server_id};
}

// The record without what the authority adds.
Server AsRegistered(Server record) {
  record.create_time = record.update_time = absl::InfinitePast();
  record.version = {};
  return record;
}

std::vector<std::string> IdsOf(const std::map<std::string, Server>& servers) {
  std::vector<std::string> ids;
  for (const auto& [id, server] : servers) ids.push_back(id);
  return ids;
}

}  // namespace

Server TestServer(std::string_view server_id) {
  Server server;
  server.type = "mTest";
  server.server_id = std::string(server_id);
  server.cluster_base_url =
      absl::StrCat("http://", AbslView(server_id), ".test:8080/base");
  server.public_base_url = "https://api.test/mTest";
  server.location_json = R"({"zone":"a"})";
  server.node_api = NodeApi::kYes;
  return server;
}

absl::StatusOr<RegisterAnswer> RegistryContract::Register(
    const Server& server) {
  return Await<absl::StatusOr<RegisterAnswer>>([&](auto done) {
    harness_->registry().Register({server, true, "test@0/now"},
                                  std::move(done));
  });
}

absl::StatusOr<Removed> RegistryContract::Unregister(const ServerKey& key) {
  return Await<absl::StatusOr<Removed>>([&](auto done) {
    harness_->registry().Unregister(key, "mTest", std::move(done));
  });
}

absl::StatusOr<Removal> RegistryContract::Remove(const ServerKey& key,
                                                 const Evidence& evidence) {
  return Await<absl::StatusOr<Removal>>([&](auto done) {
    harness_->registry().Remove(key, "mTest", evidence, std::move(done));
  });
}

RegisterAnswer RegistryContract::MustRegister(const Server& server) {
  absl::StatusOr<RegisterAnswer> answer = Register(server);
  EXPECT_TRUE(answer.ok()) << answer.status();
  return answer.ok() ? *std::move(answer) : RegisterAnswer();
}

std::map<std::string, Server> RegistryContract::Members(const Server& like) {
  std::map<std::string, Server> members;
  if (pushes()) {
    TakeChanges();
    for (const auto& [key, server] : pushed_) {
      if (server.type == like.type &&
          server.public_base_url == like.public_base_url) {
        members.emplace(server.server_id, server);
      }
    }
    return members;
  }
  Server asking = like;
  asking.server_id = "asking";
  const RegisterAnswer answer = MustRegister(asking);
  EXPECT_TRUE(Unregister(KeyOf(answer)).ok());
  if (!answer.servers) {
    ADD_FAILURE() << "neither a push nor a list";
    return members;
  }
  for (const Server& server : *answer.servers) {
    if (server.server_id != "asking") members.emplace(server.server_id, server);
  }
  return members;
}

std::vector<RegistryHarness::Published> RegistryContract::TakeChanges() {
  std::vector<RegistryHarness::Published> changes = harness_->TakeChanges();
  for (const auto& [cluster, change] : changes) {
    const ServerKey key{cluster.id, change.server->server_id};
    if (change.type == ChangeType::kLeft ||
        change.type == ChangeType::kEvicted) {
      EXPECT_EQ(pushed_.erase(key), 1U) << "left without being a member";
    } else {
      const bool known = !pushed_.insert_or_assign(key, *change.server).second;
      EXPECT_EQ(known, change.type == ChangeType::kUpdated);
    }
  }
  return changes;
}

void RegistryContract::Restart() {
  TakeChanges();
  pushed_.clear();
  harness_->Restart();
}

TEST_P(RegistryContract, RegisterAnswersTheRecordAsGiven) {
  const Server server = TestServer("node-1");

  const RegisterAnswer answer = MustRegister(server);

  EXPECT_THAT(answer.cluster.id, testing::Not(IsEmpty()));
  EXPECT_EQ(answer.cluster.type, server.type);
  EXPECT_EQ(answer.cluster.public_base_url, server.public_base_url);
  EXPECT_EQ(AsRegistered(answer.record), server);
  EXPECT_THAT(answer.record.version.text, testing::Not(IsEmpty()));
  EXPECT_GT(answer.record.create_time, absl::InfinitePast());
  EXPECT_GT(answer.record.update_time, absl::InfinitePast());
  EXPECT_GT(answer.lease, absl::ZeroDuration());
  EXPECT_THAT(Members(server), ElementsAre(Pair("node-1", answer.record)));
}

TEST_P(RegistryContract, AnswerCarriesTheListUnlessChangesArePushed) {
  const Server server = TestServer("node-1");
  MustRegister(TestServer("node-2"));
  TakeChanges();

  const RegisterAnswer answer = MustRegister(server);

  const auto changes = TakeChanges();
  if (pushes()) {
    EXPECT_FALSE(answer.servers.has_value());
    ASSERT_THAT(changes, SizeIs(1));
    EXPECT_EQ(changes[0].first, answer.cluster);
    EXPECT_EQ(changes[0].second.type, ChangeType::kJoined);
    EXPECT_EQ(*changes[0].second.server, answer.record);
  } else {
    EXPECT_THAT(changes, IsEmpty());
    ASSERT_TRUE(answer.servers.has_value());
    EXPECT_THAT(
        *answer.servers,
        UnorderedElementsAre(testing::Field(&Server::server_id, "node-2"),
                             answer.record));
  }
}

TEST_P(RegistryContract, ServersOfOneTypeShareACluster) {
  const RegisterAnswer first = MustRegister(TestServer("node-1"));
  const RegisterAnswer second = MustRegister(TestServer("node-2"));

  EXPECT_EQ(first.cluster, second.cluster);
  EXPECT_THAT(IdsOf(Members(TestServer("node-1"))),
              ElementsAre("node-1", "node-2"));
}

TEST_P(RegistryContract, AnotherTypeIsAnotherCluster) {
  Server other = TestServer("node-1");
  other.type = "mOther";

  const RegisterAnswer first = MustRegister(TestServer("node-1"));
  const RegisterAnswer second = MustRegister(other);

  EXPECT_NE(first.cluster.id, second.cluster.id);
  EXPECT_THAT(Members(other), ElementsAre(Pair("node-1", second.record)));
  EXPECT_THAT(Members(first.record), ElementsAre(Pair("node-1", first.record)));
}

TEST_P(RegistryContract, AnotherPublicBaseUrlIsAnotherCluster) {
  if (!capabilities().clusters_by_public_base_url)
    GTEST_SKIP() << "clusters are told apart by type alone";
  Server other = TestServer("node-1");
  other.public_base_url = "https://elsewhere.test/mTest";

  const RegisterAnswer first = MustRegister(TestServer("node-1"));
  const RegisterAnswer second = MustRegister(other);

  EXPECT_NE(first.cluster.id, second.cluster.id);
}

TEST_P(RegistryContract, RenewalThatChangesNothingKeepsTheVersion) {
  if (!capabilities().keeps_version_of_unchanged)
    GTEST_SKIP() << "each renewal is a new version";
  const RegisterAnswer first = MustRegister(TestServer("node-1"));
  TakeChanges();
  harness_->AdvanceTime(absl::Seconds(1));

  const RegisterAnswer renewed = MustRegister(TestServer("node-1"));

  EXPECT_EQ(renewed.record, first.record);
  EXPECT_THAT(TakeChanges(), IsEmpty());
}

TEST_P(RegistryContract, RenewalWithAnotherAddressIsANewVersion) {
  const RegisterAnswer first = MustRegister(TestServer("node-1"));
  TakeChanges();
  Server moved = TestServer("node-1");
  moved.cluster_base_url = "http://moved.test:8080";
  harness_->AdvanceTime(absl::Seconds(1));

  const RegisterAnswer renewed = MustRegister(moved);

  EXPECT_EQ(renewed.cluster, first.cluster);
  EXPECT_EQ(AsRegistered(renewed.record), moved);
  EXPECT_NE(renewed.record.version, first.record.version);
  EXPECT_GT(renewed.record.update_time, first.record.update_time);
  EXPECT_EQ(renewed.record.create_time, first.record.create_time);
  if (pushes()) {
    const auto changes = TakeChanges();
    ASSERT_THAT(changes, SizeIs(1));
    EXPECT_EQ(changes[0].second.type, ChangeType::kUpdated);
    EXPECT_EQ(*changes[0].second.server, renewed.record);
  }
  EXPECT_THAT(Members(moved), ElementsAre(Pair("node-1", renewed.record)));
}

TEST_P(RegistryContract, EachChangeIsANewVersion) {
  const RegisterAnswer first = MustRegister(TestServer("node-1"));
  Server changed = TestServer("node-1");
  RecordVersion last = first.record.version;
  for (int i = 0; i < 10; ++i) {
    changed.location_json = absl::StrCat(i);
    const RegisterAnswer answer = MustRegister(changed);
    EXPECT_NE(answer.record.version, last);
    last = answer.record.version;
  }
}

TEST_P(RegistryContract, LocationIsAnyJsonValue) {
  for (const char* location :
       {"null", "7", R"("Straße 1")", "[1,2]", R"({"lat":-1,"lon":[]})"}) {
    Server server = TestServer("node-1");
    server.location_json = location;
    EXPECT_EQ(MustRegister(server).record.location_json, location);
    EXPECT_EQ(Members(server)["node-1"].location_json, location);
  }
}

TEST_P(RegistryContract, DrainingIsPartOfTheRecord) {
  if (!capabilities().stores_draining)
    GTEST_SKIP() << "the state is not stored";
  const RegisterAnswer first = MustRegister(TestServer("node-1"));
  Server draining = TestServer("node-1");
  draining.state = ServerState::kDraining;

  const RegisterAnswer drained = MustRegister(draining);

  EXPECT_NE(drained.record.version, first.record.version);
  EXPECT_EQ(Members(draining)["node-1"].state, ServerState::kDraining);
  MustRegister(TestServer("node-1"));
  EXPECT_EQ(Members(draining)["node-1"].state, ServerState::kActive);
}

TEST_P(RegistryContract, SuspicionIsNeverStored) {
  Server server = TestServer("node-1");
  server.state = ServerState::kSuspected;

  EXPECT_EQ(MustRegister(server).record.state, ServerState::kActive);
  EXPECT_EQ(Members(server)["node-1"].state, ServerState::kActive);
}

}  // namespace coord
