#include "server/rpc/backup_stream.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "server/rpc/call_context.h"

namespace coord {
namespace {

constexpr std::size_t kPieceBytes = 64 << 10;
constexpr absl::Duration kStalled = absl::Seconds(30);

absl::Status ReadError() {
  return MakeError(Reason::kStoreUnavailable,
                   "back up the store: the copy can't be read");
}

// Lives on the backend's loop for streams, as WatchStream does. A piece is read
// when the one before has left: from the page cache, where it was written a
// moment ago.
class BackupStream final : public grpc::ServerWriteReactor<pb::BackupResponse>,
                           public std::enable_shared_from_this<BackupStream> {
 public:
  BackupStream(const RpcBackend& backend, std::optional<Slots::Slot> slot,
               grpc::CallbackServerContext* context)
      : loop_(backend.streams), slot_(std::move(slot)), context_(*context) {}

  void Start(const RpcBackend& backend) {
    self_ = shared_from_this();
    EchoMetadata(context_);
    loop_.Post([self = self_, &database = backend.database,
                &drain = backend.drain] { self->Open(database, drain); });
  }

  void OnWriteDone(bool ok) override {
    Post(ok ? &BackupStream::Written : &BackupStream::Broken);
  }
  void OnCancel() override { Post(&BackupStream::Cancel); }
  void OnDone() override { self_.reset(); }

 private:
  using Step = void (BackupStream::*)();

  void Post(Step step) {
    loop_.Post([self = shared_from_this(), step] { ((*self).*step)(); });
  }

  void Open(Database& database, DrainSignal& drain) {
    if (end_) return;
    if (!slot_) {
      return End(MakeError(Reason::kTooManyBackups,
                           "back up the store: another backup is being made or "
                           "read, and 1 is the limit"));
    }
    drain_ = drain.Subscribe([weak = weak_from_this()] {
      if (auto self = weak.lock()) self->Post(&BackupStream::Drain);
    });
    database.BackUp(PostedTo(loop_, [self = shared_from_this()](
                                        absl::StatusOr<FileDescriptor> copy) {
      self->Send(std::move(copy));
    }));
  }

  void Send(absl::StatusOr<FileDescriptor> copy) {
    if (end_) return;
    if (!copy.ok()) return End(copy.status());
    copy_ = *std::move(copy);
    struct stat file {};
    if (fstat(copy_.get(), &file) != 0) return End(ReadError());
    size_ = file.st_size;
    WatchProgress();
    Pump();
  }

  void Pump() {
    if (end_) return;
    if (sent_ == size_) return End(absl::OkStatus());
    std::string& data = *response_.mutable_data();
    data.resize(kPieceBytes);
    const ssize_t got = pread(copy_.get(), data.data(), data.size(), sent_);
    if (got <= 0) return End(ReadError());
    data.resize(static_cast<std::size_t>(got));
    sent_ += got;
    response_.set_size(size_);
    writing_ = true;
    StartWrite(&response_);
  }

  void Written() {
    writing_ = false;
    if (end_) {
      FinishNow();
    } else {
      Pump();
    }
  }

  void Broken() {
    writing_ = false;
    End(MakeError(Reason::kCancelled, "back up the store: the stream broke"));
    FinishNow();
  }

  void Cancel() {
    End(MakeError(Reason::kCancelled,
                  "back up the store: cancelled by the caller"));
  }

  void Drain() { End(ServerIsDraining()); }

  // Ends a stream of which nothing was read for a while.
  void WatchProgress() {
    loop_.RunAfter(kStalled, [weak = weak_from_this(), before = sent_] {
      const auto self = weak.lock();
      if (self == nullptr || self->finished_) return;
      if (self->sent_ != before) return self->WatchProgress();
      self->End(MakeError(Reason::kCancelled,
                          "back up the store: the caller does not read"));
      self->context_.TryCancel();
    });
  }

  // Finishes when no write is in flight.
  void End(absl::Status status) {
    if (end_) return;
    end_ = std::move(status);
    drain_ = {};
    if (!writing_) FinishNow();
  }

  void FinishNow() {
    if (std::exchange(finished_, true)) return;
    Finish(FinalStatus(context_, *end_));
  }

  EventLoop& loop_;
  const std::optional<Slots::Slot> slot_;
  grpc::CallbackServerContext& context_;
  std::shared_ptr<BackupStream> self_;  // until OnDone
  DrainSignal::Subscription drain_;
  FileDescriptor copy_;
  std::int64_t size_ = 0;
  std::int64_t sent_ = 0;
  pb::BackupResponse response_;
  bool writing_ = false;
  std::optional<absl::Status> end_;
  bool finished_ = false;
};

}  // namespace

grpc::ServerWriteReactor<pb::BackupResponse>* StartBackup(
    const RpcBackend& backend, Slots& slots,
    grpc::CallbackServerContext* context) {
  auto stream = std::make_shared<BackupStream>(backend, slots.Take(), context);
  stream->Start(backend);
  return stream.get();
}

}  // namespace coord
