#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/grpc_status.h"
#include "common/text_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/registry/sqlite.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/rpc/service_fixture.h"

namespace coord {
namespace {

// Reads a backup.
struct Reading {
  explicit Reading(pb::AdminService::Stub& stub)
      : stream(stub.Backup(&context, pb::BackupRequest())) {}

  bool Read() {
    pb::BackupResponse piece;
    if (!stream->Read(&piece)) return false;
    content += piece.data();
    size = piece.size();
    return true;
  }
  absl::Status End() {
    while (Read()) {
    }
    return FromGrpcStatus(stream->Finish());
  }

  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReader<pb::BackupResponse>> stream;
  std::string content;
  std::int64_t size = 0;
};

// Outlives the fixture.
class WithDirectory {
 protected:
  TempDir dir_;
};

class BackupStreamTest : private WithDirectory, public ServiceTest {
 protected:
  BackupStreamTest() : ServiceTest({}, {}, WithDirectory::dir_ / "data") {}
  std::string Directory(const std::string& name) { return dir_ / name; }
};

TEST_F(BackupStreamTest, AnotherClusterdServesFromItWhatWasRegistered) {
  const pb::Registration registered = Register("node-1");
  Reading reading(*admin_stub_);
  const absl::Status end = reading.End();
  ASSERT_TRUE(end.ok()) << end;
  EXPECT_EQ(static_cast<std::int64_t>(reading.content.size()), reading.size);

  const std::string restored = Directory("restored");
  std::filesystem::create_directory(restored);
  std::ofstream(restored + "/clusterd.db", std::ios::binary) << reading.content;
  auto database = Database::Open({.data_dir = restored});
  ASSERT_TRUE(database.ok()) << database.status();
  const auto stored = RegistrationStore(**database).Load();
  ASSERT_TRUE(stored.ok()) << stored.status();
  ASSERT_EQ(stored->size(), 1u);
  EXPECT_EQ((*stored)[0].server.server_id, "node-1");
  EXPECT_EQ((*stored)[0].session_id, registered.session_id());
  EXPECT_EQ((*stored)[0].cluster_id, registered.cluster_id());
}

TEST_F(BackupStreamTest, OneIsReadAtATime) {
  // More than fits on the way to a caller who does not read.
  ASSERT_TRUE(
      database_
          ->Run([](sqlite3* db) {
            return Statement(
                       db,
                       "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL"
                       " SELECT i+1 FROM n WHERE i<4000) INSERT INTO clusters"
                       " SELECT 'id-'||i, hex(zeroblob(1000)), i, 0, 0 FROM n")
                .Run();
          })
          .ok());
  auto first = std::make_unique<Reading>(*admin_stub_);
  ASSERT_TRUE(first->Read());

  Reading second(*admin_stub_);
  const absl::Status refused = second.End();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(HasReason(refused, Reason::kTooManyBackups)) << refused;
  EXPECT_EQ(StdView(refused.message()),
            "back up the store: another backup is being made or read, and 1 is "
            "the limit");

  const absl::Status end = first->End();
  EXPECT_TRUE(end.ok()) << end;
  EXPECT_GT(first->size, 8 << 20);
  EXPECT_EQ(static_cast<std::int64_t>(first->content.size()), first->size);
}

class NoStoreTest : public ServiceTest {};

TEST_F(NoStoreTest, WithoutADataDirThereIsNothingToCopy) {
  Reading reading(*admin_stub_);
  const absl::Status status = reading.End();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(HasReason(status, Reason::kNothingStored)) << status;
  EXPECT_EQ(StdView(status.message()),
            "back up the store: it is in memory; start clusterd with "
            "--data-dir");
}

}  // namespace
}  // namespace coord
