#include "server/rpc/watch_stream.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "common/error.h"
#include "server/rpc/call_context.h"
#include "server/rpc/convert.h"

namespace coord {
namespace {

constexpr int kMaxChunkServers = 500;
// Records may be large, and a chunk is held for each watcher that does not
// read.
constexpr std::size_t kMaxChunkBytes = 128 << 10;

const char* ReasonOf(ResetCause cause) {
  switch (cause) {
    case ResetCause::kSlowWatcher:
      return "SLOW_WATCHER";
    case ResetCause::kTokenExpired:
      return "TOKEN_EXPIRED";
    case ResetCause::kOtherProcess:
      return "OTHER_PROCESS";
  }
  return "";
}

// Lives on the backend's loop for streams: gRPC's reactions, wakes and the
// drain signal are posted there, so nothing here needs a lock. Tasks share
// ownership; the last share is given up when gRPC is done and no task waits.
class WatchStream final
    : public grpc::ServerWriteReactor<pb::WatchClusterResponse>,
      public std::enable_shared_from_this<WatchStream> {
 public:
  WatchStream(const RpcBackend& backend, const RpcOptions& options,
              grpc::CallbackServerContext* context,
              const pb::WatchClusterRequest& request)
      : loop_(backend.streams),
        membership_(backend.membership),
        list_ages_(backend.list_ages),
        all_unread_(backend.unread),
        bookmark_interval_(options.bookmark_interval),
        context_(*context),
        unread_(backend.unread, *context),
        request_(request) {}

  void Start(DrainSignal& drain) {
    self_ = shared_from_this();
    EchoMetadata(context_);
    loop_.Post([self = self_, &drain] { self->Open(drain); });
  }

  void OnWriteDone(bool ok) override {
    Post(ok ? &WatchStream::Written : &WatchStream::Broken);
  }
  void OnCancel() override { Post(&WatchStream::Cancel); }
  void OnDone() override {
    unread_.End();
    self_.reset();
  }

 private:
  using Step = void (WatchStream::*)();

  void Post(Step step) {
    loop_.Post([self = shared_from_this(), step] { ((*self).*step)(); });
  }

  // Does nothing once the stream is gone.
  auto Posting(Step step) {
    return [weak = weak_from_this(), step] {
      if (auto self = weak.lock()) self->Post(step);
    };
  }

  void Open(DrainSignal& drain) {
    if (end_) return;
    absl::Status named =
        CheckClusterName(request_.type(), request_.cluster_id());
    if (!named.ok()) return End(std::move(named));
    if (absl::Status room = all_unread_.CheckRoom(); !room.ok()) {
      return End(std::move(room));
    }
    auto watch = membership_.OpenWatch(request_.type(), request_.cluster_id(),
                                       request_.resume_token(),
                                       Posting(&WatchStream::Pump));
    if (!watch.ok()) return End(watch.status());
    watch_ = *std::move(watch);
    drain_ = drain.Subscribe(Posting(&WatchStream::Drain));
    last_sent_ = loop_.Now();
    ArmBookmark();
    Pump();
  }

  void Write() {
    writing_ = true;
    written_bytes_ = response_.ByteSizeLong();
    unread_.Add(written_bytes_);
    StartWrite(&response_);
  }

  void Written() {
    writing_ = false;
    unread_.Take(written_bytes_);
    last_sent_ = loop_.Now();
    if (end_) {
      FinishNow();
    } else {
      Pump();
    }
  }

  void Broken() {
    writing_ = false;
    End(MakeError(Reason::kCancelled, "watch cluster: the stream broke"));
    FinishNow();
  }

  void Cancel() {
    End(MakeError(Reason::kCancelled,
                  "watch cluster: cancelled by the caller"));
  }

  void Drain() { End(ServerIsDraining()); }

  // Writes the next message, if there is one and none is being written.
  void Pump() {
    if (writing_ || end_) return;
    response_.Clear();
    if (snapshot_ || Convert(watch_->Next())) {
      if (snapshot_) FillChunk();
      Write();
    }
  }

  // False: there is nothing to tell now, the watch will wake this stream.
  bool Convert(WatchEvent event) {
    switch (event.kind) {
      case WatchEvent::Kind::kNothing:
        return false;
      case WatchEvent::Kind::kReset:
        response_.mutable_reset()->set_reason(ReasonOf(event.reset_cause));
        return true;
      case WatchEvent::Kind::kSnapshot:
        snapshot_age_ = event.snapshot ? list_ages_.Judge(*event.snapshot).age
                                       : absl::InfiniteDuration();
        snapshot_ = event.snapshot ? std::move(event.snapshot) : Unborn(event);
        cluster_id_ = snapshot_->identity.id;
        snapshot_token_ = std::move(event.resume_token);
        next_server_ = snapshot_->servers.begin();
        return true;
      case WatchEvent::Kind::kChange: {
        pb::ClusterChange& change = *response_.mutable_change();
        change.set_type(ToProto(event.change.type));
        ToProto(*event.change.server, change.mutable_server());
        change.set_revision(event.revision);
        change.set_cluster_id(Utf8(std::move(event.cluster.id)));
        change.set_resume_token(std::move(event.resume_token));
        return true;
      }
    }
    return false;
  }

  // What a cluster looks like before anybody has registered.
  SnapshotPtr Unborn(const WatchEvent& event) const {
    auto snapshot = std::make_shared<ClusterSnapshot>();
    snapshot->identity.type = request_.type();
    snapshot->revision = event.revision;
    return snapshot;
  }

  void FillChunk() {
    pb::ClusterSnapshot& chunk = *response_.mutable_snapshot();
    ToProto(*snapshot_, chunk.mutable_cluster());
    SetAge(snapshot_age_, chunk.mutable_cluster());
    const auto end = snapshot_->servers.end();
    std::size_t bytes = 0;
    while (next_server_ != end && chunk.servers_size() < kMaxChunkServers &&
           bytes < kMaxChunkBytes) {
      pb::Server* server = chunk.add_servers();
      ToProto(**next_server_++, server);
      bytes += server->ByteSizeLong();
    }
    if (next_server_ != end) return;
    chunk.set_last(true);
    chunk.set_resume_token(std::move(snapshot_token_));
    snapshot_.reset();
  }

  void ArmBookmark() {
    const absl::Duration idle = loop_.Now() - last_sent_;
    timer_ =
        loop_.RunAfter(bookmark_interval_ - idle, [weak = weak_from_this()] {
          if (auto self = weak.lock()) self->OnTimer();
        });
  }

  // One timer serves all the stream's life: what was sent meanwhile only moves
  // the next look at the clock.
  void OnTimer() {
    if (end_) return;
    if (writing_) {
      last_sent_ = loop_.Now();
    } else if (loop_.Now() - last_sent_ >= bookmark_interval_) {
      response_.Clear();
      pb::Bookmark& bookmark = *response_.mutable_bookmark();
      bookmark.set_revision(watch_->revision());
      bookmark.set_resume_token(watch_->resume_token());
      ToProto(loop_.WallTime(), bookmark.mutable_time());
      if (const auto cluster = membership_.Summary("", cluster_id_);
          cluster.ok()) {
        SetAge(AgeOf(cluster->known_at, loop_.Now()), &bookmark);
      }
      last_sent_ = loop_.Now();
      Write();
    }
    ArmBookmark();
  }

  // Gives the watch up at once, and finishes when no write is in flight.
  void End(absl::Status status) {
    if (end_) return;
    end_ = std::move(status);
    watch_.reset();
    snapshot_.reset();
    drain_ = {};
    loop_.Cancel(timer_);
    if (!writing_) FinishNow();
  }

  void FinishNow() {
    if (std::exchange(finished_, true)) return;
    Finish(FinalStatus(context_, *end_));
  }

  EventLoop& loop_;
  Membership& membership_;
  ListAges& list_ages_;
  const UnreadAnswers& all_unread_;
  const absl::Duration bookmark_interval_;
  grpc::CallbackServerContext& context_;
  UnreadAnswers::Caller unread_;
  const pb::WatchClusterRequest request_;
  std::shared_ptr<WatchStream> self_;  // until OnDone
  std::unique_ptr<Watch> watch_;
  DrainSignal::Subscription drain_;
  TimerId timer_ = kNoTimer;
  absl::Time last_sent_;
  SnapshotPtr snapshot_;  // while it is being sent in chunks
  std::string snapshot_token_;
  absl::Duration snapshot_age_;
  std::string cluster_id_;  // that is followed; empty: none yet
  ServerList::const_iterator next_server_;
  pb::WatchClusterResponse response_;
  std::size_t written_bytes_ = 0;
  bool writing_ = false;
  std::optional<absl::Status> end_;
  bool finished_ = false;
};

}  // namespace

grpc::ServerWriteReactor<pb::WatchClusterResponse>* StartWatch(
    const RpcBackend& backend, const RpcOptions& options,
    grpc::CallbackServerContext* context,
    const pb::WatchClusterRequest& request) {
  auto stream =
      std::make_shared<WatchStream>(backend, options, context, request);
  stream->Start(backend.drain);
  return stream.get();
}

}  // namespace coord
