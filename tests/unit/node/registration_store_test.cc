#include "server/node/registration_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/registry/sqlite.h"
#include "tests/support/await.h"
#include "tests/support/temp_dir.h"

namespace coord {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

StoredRegistration Example() {
  StoredRegistration registration;
  Server& server = registration.server;
  server.type = "mTest";
  server.server_id = "node-1";
  server.cluster_base_url = "http://10.0.0.1:8080/base";
  server.public_base_url = "https://api.test";
  server.location_json = R"({"zone":"a"})";
  server.extra_json = R"({"more":1})";
  server.node_api = NodeApi::kYes;
  server.state = ServerState::kDraining;
  server.create_time = absl::FromUnixMillis(1'700'000'000'001);
  server.update_time = absl::FromUnixMillis(1'700'000'000'002);
  server.version.text = "2023-11-14T22:13:20.002Z";
  registration.cluster_id = "cluster";
  registration.session_id = "session";
  registration.ttl = absl::Milliseconds(1500);
  registration.register_time = absl::FromUnixMillis(1'700'000'000'003);
  registration.local_base_url = "http://127.0.0.1:8080";
  return registration;
}

auto Is(const StoredRegistration& expected) {
  using R = StoredRegistration;
  return testing::AllOf(
      testing::Field(&R::server, expected.server),
      testing::Field(&R::cluster_id, expected.cluster_id),
      testing::Field(&R::session_id, expected.session_id),
      testing::Field(&R::ttl, expected.ttl),
      testing::Field(&R::register_time, expected.register_time),
      testing::Field(&R::local_base_url, expected.local_base_url));
}

class RegistrationStoreTest : public testing::Test {
 protected:
  RegistrationStoreTest() { Open(); }

  void Open() {
    database_.reset();
    auto database = Database::Open({.data_dir = dir_.path()});
    ASSERT_TRUE(database.ok()) << database.status();
    database_ = *std::move(database);
  }

  void Save(const StoredRegistration& registration) {
    const auto status = Await<absl::Status>([&](auto done) {
      RegistrationStore(*database_).Save(registration, std::move(done));
    });
    EXPECT_TRUE(status.ok()) << status;
  }
  void Delete(const Server& server) {
    const auto status = Await<absl::Status>([&](auto done) {
      RegistrationStore(*database_).Delete(server, std::move(done));
    });
    EXPECT_TRUE(status.ok()) << status;
  }
  std::vector<StoredRegistration> Load() {
    auto loaded = RegistrationStore(*database_).Load();
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return loaded.ok() ? *std::move(loaded) : std::vector<StoredRegistration>();
  }

  TempDir dir_;
  std::unique_ptr<Database> database_;
};

TEST_F(RegistrationStoreTest, ANewStoreIsEmpty) {
  EXPECT_THAT(Load(), IsEmpty());
}

TEST_F(RegistrationStoreTest, WhatWasSavedComesBackWholeAfterARestart) {
  Save(Example());

  Open();

  EXPECT_THAT(Load(), ElementsAre(Is(Example())));
}

TEST_F(RegistrationStoreTest, WhatIsUnknownComesBackUnknown) {
  StoredRegistration registration;
  registration.server.type = "mTest";
  registration.server.server_id = "node-1";
  registration.session_id = "session";
  Save(registration);

  EXPECT_THAT(Load(), ElementsAre(Is(registration)));
}

TEST_F(RegistrationStoreTest, SavingAgainReplaces) {
  Save(Example());
  StoredRegistration newer = Example();
  newer.session_id = "newer";
  newer.ttl = std::nullopt;
  newer.server.cluster_base_url = "http://moved.test";
  Save(newer);

  EXPECT_THAT(Load(), ElementsAre(Is(newer)));
}

TEST_F(RegistrationStoreTest, TypeAndPublicUrlAndIdTellRegistrationsApart) {
  StoredRegistration other_type = Example();
  other_type.server.type = "mOther";
  StoredRegistration other_url = Example();
  other_url.server.public_base_url = "https://elsewhere.test";
  StoredRegistration other_id = Example();
  other_id.server.server_id = "node-2";
  for (const auto& r : {Example(), other_type, other_url, other_id}) Save(r);

  Delete(Example().server);

  EXPECT_THAT(Load(), testing::UnorderedElementsAre(
                          Is(other_type), Is(other_url), Is(other_id)));
}

TEST_F(RegistrationStoreTest, WhatTheFirstSchemaHeldComesBack) {
  StoredRegistration registration = Example();
  Save(registration);
  const absl::Status aged = database_->Run([](sqlite3* db) {
    for (const char* step :
         {"ALTER TABLE registrations DROP COLUMN local_base_url",
          "DROP INDEX clusters_by_emptied_time",
          "ALTER TABLE clusters DROP COLUMN emptied_time"}) {
      const absl::Status dropped = Statement(db, step).Run();
      if (!dropped.ok()) return dropped;
    }
    return Statement(db, "PRAGMA user_version = 1").Run();
  });
  ASSERT_TRUE(aged.ok()) << aged;

  Open();

  registration.local_base_url.clear();
  EXPECT_THAT(Load(), ElementsAre(Is(registration)));
}

TEST_F(RegistrationStoreTest, DeletingWhatIsNotThereIsNoError) {
  Delete(Example().server);

  EXPECT_THAT(Load(), IsEmpty());
}

}  // namespace
}  // namespace coord
