#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/ctl/command.h"
#include "client/ctl/text.h"

namespace coord {
namespace {

constexpr absl::Duration kDefaultTimeout = absl::Minutes(10);

// A file that gets its name once it is whole, for its owner alone.
class NewFile {
 public:
  explicit NewFile(std::string path)
      : path_(std::move(path)), part_(path_ + ".part") {}
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() {
    if (fd_ < 0) return;
    close(fd_);
    unlink(part_.c_str());
  }

  absl::Status Create() {
    unlink(part_.c_str());
    fd_ = open(part_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    return fd_ < 0 ? Error("create") : absl::OkStatus();
  }

  absl::Status Write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = write(fd_, bytes.data(), bytes.size());
      if (written < 0) return Error("write");
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return absl::OkStatus();
  }

  // Over a file that has the name.
  absl::Status Publish() {
    if (fsync(fd_) != 0 || std::rename(part_.c_str(), path_.c_str()) != 0) {
      return Error("write");
    }
    close(std::exchange(fd_, -1));
    return absl::OkStatus();
  }

 private:
  absl::Status Error(absl::string_view action) const {
    return absl::UnavailableError(absl::StrCat(
        action, " ", part_, ": ", std::generic_category().message(errno)));
  }

  const std::string path_;
  const std::string part_;
  int fd_ = -1;
};

class BackupCommand final : public Command {
 public:
  Description Describe() const override {
    return {
        "backup", "Process", "copy a clusterd's store into a file",
        "The copy is what the store is at one moment; clusterd goes on "
        "meanwhile. To go back\nto it, put it as clusterd.db into an empty "
        "directory and start clusterd with that as\nits --data-dir. It holds "
        "session ids: keep it to yourself.\n"};
  }

  void Declare(ArgParser& args) override {
    args.Positional("FILE",
                    "to write; an older one is replaced once the copy "
                    "is whole",
                    Text(&path_));
  }

  ExitCode Run(const Context& context) override {
    const absl::StatusOr<Client> client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    NewFile file(path_);
    absl::Status status = file.Create();
    std::int64_t bytes = 0;
    if (status.ok()) {
      status = client->Backup(
          [&](const pb::BackupResponse& piece) {
            bytes = piece.size();
            return file.Write(piece.data());
          },
          {.timeout = context.timeout.value_or(kDefaultTimeout)});
    }
    if (status.ok()) status = file.Publish();
    if (!status.ok()) return context.Fail(status);
    if (context.json) {
      context.out << absl::StrCat("{\"bytes\": ", bytes, "}\n");
    } else {
      context.out << Printable(path_) << ": " << bytes << " bytes\n";
    }
    return ExitCode::kOk;
  }

 private:
  std::string path_;
};

}  // namespace

std::unique_ptr<Command> NewBackupCommand() {
  return std::make_unique<BackupCommand>();
}

}  // namespace coord
