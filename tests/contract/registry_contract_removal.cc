// What every registry does when servers leave, fall silent or are many, and
// when it is started again.
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "tests/contract/registry_contract.h"
#include "tests/support/await.h"

namespace coord {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

ServerKey KeyOf(const RegisterAnswer& answer) {
  return {answer.cluster.id, answer.record.server_id};
}

std::vector<std::string> IdsOf(const std::map<std::string, Server>& servers) {
  std::vector<std::string> ids;
  for (const auto& [id, server] : servers) ids.push_back(id);
  return ids;
}

}  // namespace

TEST_P(RegistryContract, UnregisterRemovesWhateverTheVersion) {
  const RegisterAnswer answer = MustRegister(TestServer("node-1"));
  MustRegister(TestServer("node-2"));
  TakeChanges();

  const absl::StatusOr<Removed> removed = Unregister(KeyOf(answer));

  EXPECT_TRUE(removed.ok()) << removed.status();
  if (pushes()) {
    const auto changes = TakeChanges();
    ASSERT_THAT(changes, SizeIs(1));
    EXPECT_EQ(changes[0].first, answer.cluster);
    EXPECT_EQ(changes[0].second.type, ChangeType::kLeft);
    EXPECT_EQ(*changes[0].second.server, answer.record);
  }
  EXPECT_THAT(IdsOf(Members(answer.record)), ElementsAre("node-2"));
}

TEST_P(RegistryContract, UnregisterOfWhatIsGoneIsNoError) {
  const RegisterAnswer answer = MustRegister(TestServer("node-1"));
  MustRegister(TestServer("node-2"));
  ASSERT_TRUE(Unregister(KeyOf(answer)).ok());
  TakeChanges();

  EXPECT_TRUE(Unregister(KeyOf(answer)).ok());
  EXPECT_TRUE(Unregister({answer.cluster.id, "never-was"}).ok());
  EXPECT_TRUE(Unregister({"no-such-cluster", "node-2"}).ok());
  EXPECT_THAT(TakeChanges(), IsEmpty());
  EXPECT_THAT(IdsOf(Members(answer.record)), ElementsAre("node-2"));
}

TEST_P(RegistryContract, RegisterAfterUnregisterJoinsWithALaterVersion) {
  const RegisterAnswer first = MustRegister(TestServer("node-1"));
  ASSERT_TRUE(Unregister(KeyOf(first)).ok());
  TakeChanges();

  const RegisterAnswer again = MustRegister(TestServer("node-1"));

  EXPECT_EQ(again.cluster.id, first.cluster.id);
  EXPECT_GT(again.record.update_time, first.record.update_time);
  EXPECT_NE(again.record.version, first.record.version);
  if (pushes()) {
    const auto changes = TakeChanges();
    ASSERT_THAT(changes, SizeIs(1));
    EXPECT_EQ(changes[0].second.type, ChangeType::kJoined);
  }
}

TEST_P(RegistryContract, RemoveTakesOutTheRecordThatWasSeen) {
  const RegisterAnswer answer = MustRegister(TestServer("node-1"));
  MustRegister(TestServer("node-2"));
  TakeChanges();

  const auto removal = Remove(KeyOf(answer), {answer.record.version});

  ASSERT_TRUE(removal.ok()) << removal.status();
  EXPECT_TRUE(std::holds_alternative<Removed>(*removal));
  if (pushes()) {
    const auto changes = TakeChanges();
    ASSERT_THAT(changes, SizeIs(1));
    EXPECT_EQ(changes[0].second.type, ChangeType::kEvicted);
    EXPECT_EQ(*changes[0].second.server, answer.record);
  }
  EXPECT_THAT(IdsOf(Members(answer.record)), ElementsAre("node-2"));
}

TEST_P(RegistryContract, RemoveLeavesANewerRecord) {
  const RegisterAnswer seen = MustRegister(TestServer("node-1"));
  Server moved = TestServer("node-1");
  moved.cluster_base_url = "http://moved.test:8080";
  const RegisterAnswer newer = MustRegister(moved);
  TakeChanges();

  const auto removal = Remove(KeyOf(seen), {seen.record.version});

  ASSERT_TRUE(removal.ok()) << removal.status();
  ASSERT_TRUE(std::holds_alternative<NewerRecord>(*removal));
  EXPECT_EQ(std::get<NewerRecord>(*removal).record, newer.record);
  EXPECT_THAT(TakeChanges(), IsEmpty());
  EXPECT_THAT(Members(moved), ElementsAre(Pair("node-1", newer.record)));
}

TEST_P(RegistryContract, RemoveLeavesAServerThatCameBack) {
  const RegisterAnswer seen = MustRegister(TestServer("node-1"));
  ASSERT_TRUE(Unregister(KeyOf(seen)).ok());
  const RegisterAnswer newer = MustRegister(TestServer("node-1"));

  const auto removal = Remove(KeyOf(seen), {seen.record.version});

  ASSERT_TRUE(removal.ok()) << removal.status();
  EXPECT_TRUE(std::holds_alternative<NewerRecord>(*removal));
  EXPECT_THAT(Members(seen.record), ElementsAre(Pair("node-1", newer.record)));
}

TEST_P(RegistryContract, RemoveOfWhatIsGoneCountsAsRemoved) {
  const RegisterAnswer answer = MustRegister(TestServer("node-1"));
  ASSERT_TRUE(Unregister(KeyOf(answer)).ok());
  TakeChanges();

  const auto removal = Remove(KeyOf(answer), {answer.record.version});

  ASSERT_TRUE(removal.ok()) << removal.status();
  EXPECT_TRUE(std::holds_alternative<Removed>(*removal));
  EXPECT_THAT(TakeChanges(), IsEmpty());
}

TEST_P(RegistryContract, RemoveLeavesAServerThatRenewedAfterTheEvidence) {
  if (!capabilities().sees_renewals)
    GTEST_SKIP() << "the authority knows versions only";
  const RegisterAnswer answer = MustRegister(TestServer("node-1"));
  const Evidence evidence{answer.record.version, harness_->Now()};
  harness_->AdvanceTime(absl::Seconds(1));
  MustRegister(TestServer("node-1"));

  const auto removal = Remove(KeyOf(answer), evidence);

  ASSERT_TRUE(removal.ok()) << removal.status();
  ASSERT_TRUE(std::holds_alternative<NewerRecord>(*removal));
  EXPECT_EQ(std::get<NewerRecord>(*removal).record, answer.record);

  harness_->AdvanceTime(absl::Seconds(1));
  const auto later =
      Remove(KeyOf(answer), {answer.record.version, harness_->Now()});
  ASSERT_TRUE(later.ok()) << later.status();
  EXPECT_TRUE(std::holds_alternative<Removed>(*later));
}

TEST_P(RegistryContract, ServerThatDoesNotRenewIsEvicted) {
  if (!capabilities().expires_leases) GTEST_SKIP() << "nothing expires";
  const RegisterAnswer silent = MustRegister(TestServer("silent"));
  MustRegister(TestServer("renewing"));
  TakeChanges();
  EXPECT_GE(harness_->life_without_renewal(), silent.lease);

  harness_->AdvanceTime(harness_->life_without_renewal() - absl::Seconds(1));
  EXPECT_THAT(TakeChanges(), IsEmpty());
  MustRegister(TestServer("renewing"));
  harness_->AdvanceTime(absl::Seconds(2));

  if (pushes()) {
    const auto changes = TakeChanges();
    ASSERT_THAT(changes, SizeIs(1));
    EXPECT_EQ(changes[0].second.type, ChangeType::kEvicted);
    EXPECT_EQ(*changes[0].second.server, silent.record);
  }
  EXPECT_THAT(IdsOf(Members(silent.record)), ElementsAre("renewing"));
}

TEST_P(RegistryContract, WhatWasAcknowledgedSurvivesARestart) {
  if (!capabilities().survives_restart) GTEST_SKIP() << "nothing is kept";
  const RegisterAnswer stays = MustRegister(TestServer("stays"));
  const RegisterAnswer left = MustRegister(TestServer("left"));
  ASSERT_TRUE(Unregister(KeyOf(left)).ok());

  Restart();

  Server known = stays.record;
  if (!capabilities().stores_node_api) known.node_api = NodeApi::kUnknown;
  EXPECT_THAT(Members(stays.record), ElementsAre(Pair("stays", known)));
  EXPECT_EQ(MustRegister(TestServer("left")).cluster, stays.cluster);
}

TEST_P(RegistryContract, EmptyClusterKeepsItsIdOverARestart) {
  if (!capabilities().survives_restart) GTEST_SKIP() << "nothing is kept";
  const RegisterAnswer first = MustRegister(TestServer("node-1"));
  ASSERT_TRUE(Unregister(KeyOf(first)).ok());

  Restart();

  const RegisterAnswer again = MustRegister(TestServer("node-1"));
  EXPECT_EQ(again.cluster.id, first.cluster.id);
  EXPECT_GT(again.record.update_time, first.record.update_time);
}

TEST_P(RegistryContract, RestartGivesEachServerAFullLease) {
  if (!capabilities().survives_restart || !capabilities().expires_leases) {
    GTEST_SKIP() << "nothing is kept, or nothing expires";
  }
  const RegisterAnswer answer = MustRegister(TestServer("node-1"));
  harness_->AdvanceTime(harness_->life_without_renewal() - absl::Seconds(1));

  Restart();
  harness_->AdvanceTime(harness_->life_without_renewal() - absl::Seconds(1));

  EXPECT_THAT(IdsOf(Members(answer.record)), ElementsAre("node-1"));
  harness_->AdvanceTime(absl::Seconds(2));
  EXPECT_THAT(Members(answer.record), IsEmpty());
}

TEST_P(RegistryContract, ManyAtOnceAreEachAnsweredOnce) {
  constexpr int kServers = 200;
  std::atomic<int> answers = 0;
  std::atomic<int> failures = 0;
  absl::BlockingCounter pending(kServers);

  for (int i = 0; i < kServers; ++i) {
    harness_->registry().Register({TestServer(absl::StrCat("node-", i))},
                                  [&](absl::StatusOr<RegisterAnswer> answer) {
                                    if (!answer.ok()) ++failures;
                                    ++answers;
                                    pending.DecrementCount();
                                  });
  }
  pending.Wait();

  EXPECT_EQ(failures, 0);
  EXPECT_EQ(answers, kServers);
  EXPECT_THAT(Members(TestServer("node-0")), SizeIs(kServers));
}

TEST_P(RegistryContract, IsNeverAnsweredInsideTheCall) {
  const RegisterAnswer answer = MustRegister(TestServer("node-1"));
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<bool> inside = false;
  std::atomic<bool> calling = true;
  auto note = [&] {
    if (calling && std::this_thread::get_id() == caller) inside = true;
  };
  absl::BlockingCounter pending(3);

  Registry& registry = harness_->registry();
  registry.Register({TestServer("node-2")}, [&](auto) {
    note();
    pending.DecrementCount();
  });
  registry.Remove(KeyOf(answer), "mTest", {answer.record.version}, [&](auto) {
    note();
    pending.DecrementCount();
  });
  registry.Unregister(KeyOf(answer), "mTest", [&](auto) {
    note();
    pending.DecrementCount();
  });
  calling = false;
  pending.Wait();

  EXPECT_FALSE(inside);
}

}  // namespace coord
