// Removals, whether evidence or people ask for them.
#include <spdlog/spdlog.h>

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/log.h"
#include "server/node/evictor_impl.h"

namespace coord {
namespace {

std::string ActionOf(const EvictCommand& command) {
  return absl::StrCat("evict ", command.type, "/", command.server_id, ": ");
}

}  // namespace

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
                                const ServerPtr& server, const Removal& removal,
                                Claim claim) {
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
  registrar_.Contested(key, claim);
  // To look for those who are to be told takes a walk through all.
  const auto others = membership_.Summary("", cluster.id);
  if (!others.ok() || others->node_api_servers == 0) return;
  const auto rest = membership_.Snapshot("", cluster.id);
  if (!rest.ok()) return;
  peers_.AnnounceLeave(**rest, server->server_id, [](AnnouncementResult) {});
}

// The cluster whose member is the very record that was seen.
absl::StatusOr<SnapshotPtr> Evictor::Impl::ClusterOf(
    const EvictCommand& command) const {
  auto cluster = membership_.Snapshot(command.type, command.cluster_id);
  if (!cluster.ok() && !HasReason(cluster.status(), Reason::kClusterNotFound)) {
    return cluster;
  }
  if (command.seen.text.empty()) return InvalidField("etag", "is required");
  const ServerPtr server =
      cluster.ok() ? (*cluster)->Find(command.server_id) : nullptr;
  if (server == nullptr) {
    return MakeError(Reason::kServerNotFound,
                     ActionOf(command) + "it is not known here");
  }
  if (server->version != command.seen) {
    return MakeError(Reason::kEtagMismatch,
                     ActionOf(command) + "the record is another by now");
  }
  return cluster;
}

void Evictor::Impl::Evict(EvictCommand command, EvictDone done) {
  const absl::StatusOr<SnapshotPtr> cluster = ClusterOf(command);
  if (!cluster.ok()) {
    std::move(done)(cluster.status());
    return;
  }
  const ClusterIdentity& identity = (*cluster)->identity;
  const ServerPtr server = (*cluster)->Find(command.server_id);
  Remove(
      identity, server, absl::InfiniteFuture(),
      [identity, server, command = std::move(command), done = std::move(done)](
          Impl& self, absl::StatusOr<Removal> removal) mutable {
        if (!removal.ok()) {
          std::move(done)(removal.status());
          return;
        }
        self.TakeRemoval(identity, server, *removal, Claim::kEvictedByHand);
        if (std::holds_alternative<NewerRecord>(*removal)) {
          std::move(done)(
              MakeError(Reason::kEtagMismatch,
                        ActionOf(command) + "a newer record stands"));
          return;
        }
        self.observer_.OnEvicted(EvictionCause::kManual);
        const ServerKey key{identity.id, server->server_id};
        spdlog::info("evicted by hand{}{}",
                     Fields({{"type", identity.type},
                             {"server_id", key.server_id},
                             {"cluster_id", key.cluster_id},
                             {"etag", server->version.text}}),
                     FieldsOf(command.caller));
        self.TellAftermath(command, key, server, std::move(done));
      });
}

void Evictor::Impl::TellAftermath(const EvictCommand& command,
                                  const ServerKey& key,
                                  const ServerPtr& removed, EvictDone done) {
  const std::optional<Server> held = registrar_.ProbeTarget(key);
  EvictAnswer answer;
  answer.held = held.has_value();
  answer.removed = removed;
  std::erase_if(inquiries_, [](const auto& each) { return each.expired(); });
  inquiries_.push_back(AskAftermath(
      loop_, membership_, peers_,
      {key, removed->version, held.value_or(*removed),
       stopped_ ? absl::ZeroDuration() : command.wait},
      [answer, done = std::move(done)](Aftermath aftermath) mutable {
        answer.aftermath = std::move(aftermath);
        std::move(done)(std::move(answer));
      }));
}

void Evictor::Impl::Stop() {
  stopped_ = true;
  for (const auto& each : std::exchange(inquiries_, {})) {
    if (const auto inquiry = each.lock()) inquiry->End();
  }
}

std::string EvictAnswer::Explain() const {
  const std::string probe =
      aftermath.probe.empty() ? "" : absl::StrCat(" (", aftermath.probe, ")");
  const char* instead =
      held ? "; to keep it out, drain it, unregister it or stop it"
           : "; to keep it out, drain or unregister it where it is registered, "
             "or stop it";
  switch (aftermath.kind) {
    case Aftermath::Kind::kReturned:
      return absl::StrCat("it is ", held ? "registered here" : "alive", probe,
                          " and came back", instead);
    case Aftermath::Kind::kAlive:
      return absl::StrCat(
          held ? "it is registered here and answers" : "it answers", probe,
          ", so it is going to be registered again", instead);
    case Aftermath::Kind::kGone:
      return absl::StrCat("it does not answer a probe", probe,
                          held ? "; it is registered here and comes back if it "
                                 "answers again"
                               : "");
    case Aftermath::Kind::kUnknown:
      return absl::StrCat("whether it lives is not known yet", probe,
                          held ? "; it is registered here and comes back if it "
                                 "does"
                               : "");
  }
  return "";
}

}  // namespace coord
