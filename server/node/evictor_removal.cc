// Removals, whether evidence or people ask for them.
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "server/node/evictor_impl.h"

namespace coord {

ServerPtr Evictor::Impl::Member(const ServerKey& key) const {
  const auto cluster = membership_.Snapshot("", key.cluster_id);
  return cluster.ok() ? (*cluster)->Find(key.server_id) : nullptr;
}

void Evictor::Impl::Remove(const ClusterIdentity& cluster,
                           const ServerPtr& server, absl::Time since,
                           RemovalDone done) {
  registry_.Remove(
      {cluster.id, server->server_id}, cluster.type, {server->version, since},
      PostedTo(loop_, [weak = weak_from_this(), done = std::move(done)](
                          absl::StatusOr<Removal> removal) mutable {
        if (auto self = weak.lock()) std::move(done)(*self, std::move(removal));
      }));
}

void Evictor::Impl::TakeRemoval(const ClusterIdentity& cluster,
                                const ServerPtr& server,
                                const Removal& removal) {
  const absl::Time now = loop_.WallTime();
  if (const auto* newer = std::get_if<NewerRecord>(&removal)) {
    if (registry_.PushesChanges()) return;
    membership_.Apply(
        cluster,
        {ChangeType::kUpdated, std::make_shared<const Server>(newer->record)},
        now);
    return;
  }
  const ServerKey key{cluster.id, server->server_id};
  history_.Expire(loop_.Now());
  history_.Evicted(*server, loop_.Now());
  // One that came back meanwhile did not leave.
  if (!membership_.RemoveRecord(key, server->version, ChangeType::kEvicted,
                                now)) {
    return;
  }
  registrar_.Contested(key);
  const auto rest = membership_.Snapshot("", cluster.id);
  if (!rest.ok()) return;
  peers_.AnnounceLeave(**rest, server->server_id, [](AnnouncementResult) {});
}

void Evictor::Impl::Evict(
    const std::string& type, const std::string& cluster_id,
    const std::string& server_id, const RecordVersion& seen,
    absl::AnyInvocable<void(absl::StatusOr<ServerPtr>) &&> done) {
  const std::string action = absl::StrCat("evict ", type, "/", server_id, ": ");
  const auto cluster = membership_.Snapshot(type, cluster_id);
  if (!cluster.ok() && !HasReason(cluster.status(), Reason::kClusterNotFound)) {
    std::move(done)(cluster.status());
    return;
  }
  const ServerPtr server = cluster.ok() ? (*cluster)->Find(server_id) : nullptr;
  if (seen.text.empty()) {
    std::move(done)(InvalidField("etag", "is required"));
  } else if (server == nullptr) {
    std::move(done)(
        MakeError(Reason::kServerNotFound, action + "it is not known here"));
  } else if (server->version != seen) {
    std::move(done)(MakeError(Reason::kEtagMismatch,
                              action + "the record is another by now"));
  } else {
    Remove((*cluster)->identity, server, absl::InfiniteFuture(),
           [identity = (*cluster)->identity, server, action,
            done = std::move(done)](Impl& self,
                                    absl::StatusOr<Removal> removal) mutable {
             if (!removal.ok()) {
               std::move(done)(removal.status());
               return;
             }
             self.TakeRemoval(identity, server, *removal);
             if (std::holds_alternative<NewerRecord>(*removal)) {
               std::move(done)(MakeError(Reason::kEtagMismatch,
                                         action + "a newer record stands"));
               return;
             }
             std::move(done)(server);
           });
  }
}

}  // namespace coord
