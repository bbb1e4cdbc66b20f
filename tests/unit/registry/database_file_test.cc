// What is wrong with a database file, and what the operator is told to do.
#include "server/registry/database_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/text_view.h"
#include "server/registry/schema.h"
#include "tests/support/temp_dir.h"

namespace coord {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class DatabaseFileTest : public testing::Test {
 protected:
  std::string path() const { return data_dir_ + "/clusterd.db"; }

  absl::Status Open() { return OpenDatabaseFile(data_dir_).status(); }

  // Creates the file as clusterd does.
  void Create() {
    const absl::Status status = Open();
    ASSERT_TRUE(status.ok()) << status;
  }

  void Write(const std::string& file, std::string_view content) {
    fs::create_directories(data_dir_);
    std::ofstream(file) << content;
  }

  // Runs SQL on the file by another connection.
  void Execute(const std::string& sql) {
    fs::create_directories(data_dir_);
    sqlite3* raw = nullptr;
    ASSERT_EQ(sqlite3_open(path().c_str(), &raw), SQLITE_OK);
    SqlitePtr db(raw);
    ASSERT_EQ(sqlite3_exec(raw, sql.c_str(), nullptr, nullptr, nullptr),
              SQLITE_OK)
        << sqlite3_errmsg(raw);
  }

  TempDir dir_;
  const std::string data_dir_ = dir_ / "data";
};

mode_t ModeOf(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 0777;
}

TEST_F(DatabaseFileTest, IsCreatedForItsOwnerAlone) {
  auto file = OpenDatabaseFile(data_dir_);
  ASSERT_TRUE(file.ok()) << file.status();

  EXPECT_EQ(ModeOf(data_dir_), 0700);
  EXPECT_EQ(ModeOf(path()), 0600);
  EXPECT_EQ(ModeOf(path() + "-wal"), 0600);
}

TEST_F(DatabaseFileTest, IsWrittenAheadAndSynced) {
  auto file = OpenDatabaseFile(data_dir_);
  ASSERT_TRUE(file.ok()) << file.status();
  auto pragma = [&](const char* sql) {
    std::string value;
    EXPECT_TRUE(Statement(file->db.get(), sql)
                    .Query([&](const Row& row) { value = row.Text(0); })
                    .ok());
    return value;
  };

  EXPECT_EQ(pragma("PRAGMA journal_mode"), "wal");
  EXPECT_EQ(pragma("PRAGMA synchronous"), "2");
  EXPECT_EQ(pragma("PRAGMA locking_mode"), "exclusive");
  EXPECT_EQ(pragma("PRAGMA application_id"), absl::StrCat(kApplicationId));
  EXPECT_EQ(pragma("PRAGMA user_version"), absl::StrCat(kSchemaVersion));
}

TEST_F(DatabaseFileTest, OneThatIsHeldByAnotherIsRefused) {
  auto first = OpenDatabaseFile(data_dir_);
  ASSERT_TRUE(first.ok()) << first.status();

  EXPECT_EQ(Open(), absl::FailedPreconditionError(absl::StrCat(
                        "open ", data_dir_,
                        ": locked by another process; stop it, or choose "
                        "another data_dir")));
}

TEST_F(DatabaseFileTest, OneThatAnotherProgramReadsIsRefused) {
  Create();
  sqlite3* raw = nullptr;
  ASSERT_EQ(sqlite3_open(path().c_str(), &raw), SQLITE_OK);
  SqlitePtr other(raw);
  ASSERT_EQ(sqlite3_exec(raw, "BEGIN; SELECT * FROM clusters", nullptr, nullptr,
                         nullptr),
            SQLITE_OK);

  const absl::Status status = Open();

  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("locked by another process"));
}

TEST_F(DatabaseFileTest, AnEmptyFileIsALossAndRefused) {
  Write(path(), "");

  EXPECT_EQ(Open(), absl::FailedPreconditionError(absl::StrCat(
                        "open ", path(),
                        ": the file is empty; restore it from a backup, or "
                        "delete it to start without registrations")));
}

TEST_F(DatabaseFileTest, AFileThatIsNoDatabaseIsRefusedAndLeftAlone) {
  const std::string text(5000, 'x');
  Write(path(), text);

  EXPECT_EQ(Open(), absl::FailedPreconditionError(absl::StrCat(
                        "open ", path(),
                        ": not a database of clusterd; choose another "
                        "data_dir, or move the file away")));
  EXPECT_EQ(fs::file_size(path()), text.size());
}

TEST_F(DatabaseFileTest, AnotherProgramsDatabaseIsRefusedAndLeftAlone) {
  Execute("CREATE TABLE notes (text)");

  const absl::Status status = Open();

  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("not a database of clusterd"));
  Execute("INSERT INTO notes VALUES ('still mine')");
  EXPECT_FALSE(fs::exists(path() + "-wal"));
}

TEST_F(DatabaseFileTest, ANewerSchemaIsRefused) {
  Create();
  Execute(absl::StrCat("PRAGMA user_version = ", kSchemaVersion + 1));

  EXPECT_EQ(Open(),
            absl::FailedPreconditionError(absl::StrCat(
                "open ", path(), ": written by a newer clusterd (schema ",
                kSchemaVersion + 1, ", this one knows ", kSchemaVersion,
                "); run that version, or choose another data_dir")));
}

TEST_F(DatabaseFileTest, ADamagedFileIsRefused) {
  Create();
  Execute(
      "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE "
      "i<2000) INSERT INTO clusters SELECT 'id-'||i, 'type', 'url-'||i, 0, 0 "
      "FROM "
      "n");
  {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(fs::file_size(path()) / 2));
    file << std::string(4096, '\x5a');
  }

  EXPECT_EQ(Open(),
            absl::FailedPreconditionError(absl::StrCat(
                "open ", path(),
                ": the database is damaged; restore it from a backup, or move "
                "clusterd.db and clusterd.db-wal away to start without "
                "registrations")));
}

TEST_F(DatabaseFileTest, ATruncatedFileIsRefused) {
  Create();
  fs::resize_file(path(), fs::file_size(path()) / 2);

  const absl::Status status = Open();

  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("the database is damaged"));
}

TEST_F(DatabaseFileTest, ALogWithoutItsDatabaseIsRefused) {
  Write(path() + "-wal", "orphan");

  const absl::Status status = Open();

  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("the file is missing, but its clusterd.db-wal is "
                        "there; restore both"));
}

TEST_F(DatabaseFileTest, AnInterruptedCreationIsForgotten) {
  Write(path() + ".new", "half");

  EXPECT_TRUE(Open().ok());
  EXPECT_FALSE(fs::exists(path() + ".new"));
}

TEST_F(DatabaseFileTest, AMissingParentIsTold) {
  const absl::Status status = OpenDatabaseFile(dir_ / "no/such").status();

  EXPECT_TRUE(HasReason(status, Reason::kStoreUnavailable));
  EXPECT_EQ(StdView(status.message()),
            absl::StrCat("create ", dir_ / "no/such",
                         ": No such file or directory; check data_dir and its "
                         "file system"));
}

TEST_F(DatabaseFileTest, ADataDirThatIsAFileIsTold) {
  Write(dir_ / "file", "");

  const absl::Status status = OpenDatabaseFile(dir_ / "file").status();

  EXPECT_TRUE(HasReason(status, Reason::kStoreUnavailable));
  EXPECT_THAT(std::string(status.message()), HasSubstr("Not a directory"));
}

// Permissions do not bind root, so a test that runs as root becomes somebody
// else for a while.
class AsNobody {
 public:
  AsNobody() {
    if (was_ == 0) {
      EXPECT_EQ(seteuid(65534), 0);
    }
  }
  ~AsNobody() { EXPECT_EQ(seteuid(was_), 0); }

 private:
  const uid_t was_ = geteuid();
};

TEST_F(DatabaseFileTest, AReadOnlyFileIsTold) {
  Create();
  fs::permissions(dir_.path(), fs::perms(0755));
  fs::permissions(data_dir_, fs::perms(0755));
  fs::permissions(path(), fs::perms(0444));
  AsNobody nobody;

  EXPECT_EQ(Open(),
            absl::PermissionDeniedError(absl::StrCat(
                "open ", path(),
                ": no permission to write; make data_dir and the files in it "
                "writable for the user that clusterd runs as")));
}

TEST_F(DatabaseFileTest, AReadOnlyDirectoryIsTold) {
  fs::create_directories(data_dir_);
  fs::permissions(dir_.path(), fs::perms(0755));
  fs::permissions(data_dir_, fs::perms(0555));
  AsNobody nobody;

  const absl::Status status = Open();

  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
}

TEST_F(DatabaseFileTest, AReadOnlyDirectoryOfAWritableFileIsTold) {
  Create();
  fs::permissions(dir_.path(), fs::perms(0755));
  fs::permissions(data_dir_, fs::perms(0555));
  fs::permissions(path(), fs::perms(0666));
  AsNobody nobody;

  const absl::Status status = Open();

  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
}

// No file may grow for a while.
class NoRoomForFiles {
 public:
  NoRoomForFiles() {
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    EXPECT_EQ(getrlimit(RLIMIT_FSIZE, &was_), 0);
    rlimit none = was_;
    none.rlim_cur = 0;
    EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &none), 0);
  }
  ~NoRoomForFiles() {
    EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &was_), 0);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit was_{};
  void (*handler_)(int);
};

TEST_F(DatabaseFileTest, AFileThatCantGrowIsTold) {
  absl::Status status;
  {
    NoRoomForFiles no_room;
    status = Open();
  }

  EXPECT_TRUE(HasReason(status, Reason::kStoreUnavailable)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("check data_dir and its file system"));
  EXPECT_TRUE(Open().ok()) << "a failed creation stands in the way";
}

}  // namespace
}  // namespace coord
