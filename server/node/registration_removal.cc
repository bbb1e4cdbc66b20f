// The way out of a registration: the record at the authority, the store, the
// other servers.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <variant>

#include "common/error.h"
#include "common/log.h"
#include "common/text_view.h"
#include "server/node/registration.h"

namespace coord {
namespace {

// What is left to do once the record is gone; needs no registration any more.
struct Farewell {
  UnregisterAnswer answer;
  std::vector<Registration::Removed> waiting;
  int open = 2;  // the store and the announcement

  void Step() {
    if (--open > 0) return;
    for (auto& done : waiting) std::move(done)(answer);
  }
};

bool IsWish(RemovalCause cause) {
  return cause == RemovalCause::kUnregistered ||
         cause == RemovalCause::kStopping;
}

std::string_view Describe(RemovalCause cause) {
  switch (cause) {
    case RemovalCause::kUnregistered:
      return "unregistered";
    case RemovalCause::kStopping:
      return "this process stops";
    case RemovalCause::kSilent:
      return "its session was not kept alive";
    case RemovalCause::kDied:
      return "its service does not answer";
    case RemovalCause::kForgotten:
      return "its service has not answered for too long";
    case RemovalCause::kNotStored:
      return "it could not be stored";
  }
  return "";
}

}  // namespace

void Registration::Remove(RemovalCause cause, absl::Time since, Removed done) {
  StopTimers();
  if (!removing()) {
    // After the record of the dead, where that is on its way out already.
    exit_ = Exit{++exits_, cause, since};
    const absl::Status over = MakeError(
        Reason::kLeaseExpired, "register " + Name() + ": its session ended");
    AnswerWaiting(over);
    CallAll(renewals_, over);
  }
  if (IsWish(cause)) exit_->once = true;
  exit_->waiting.push_back(std::move(done));
  if (!busy_) SendRemoval();
}

// The probes go on meanwhile: an answer to one of them interrupts it.
void Registration::RemoveRecordOfDead() {
  exit_ = Exit{++exits_, RemovalCause::kDied, first_miss_};
  CallAll(renewals_, MakeError(Reason::kNotRegistered,
                               "renew " + Name() + ": it does not answer"));
  if (!busy_) SendRemoval();
}

void Registration::InterruptRemoval() {
  if (!exit_) return;
  UnregisterAnswer answer = AnswerSoFar();
  answer.errors.push_back(
      {"", "unregister " + Name() + ": a new incarnation came meanwhile"});
  for (Removed& done : exit_->waiting) std::move(done)(answer);
  exit_.reset();
}

// The process ends, and what became of the record is not known.
void Registration::GiveRemovalUp(const absl::Status& status) {
  for (Removed& done : std::exchange(exit_->waiting, {})) {
    std::move(done)(status);
  }
}

UnregisterAnswer Registration::AnswerSoFar() const {
  UnregisterAnswer answer;
  answer.server_id = wanted_.server.server_id;
  answer.server_count = exit_->server_count;
  return answer;
}

// The version last written; after a restart, that of a record that says what we
// wanted to be written, and was probed as such. Empty: there is none.
RecordVersion Registration::FencingVersion() const {
  if (!record_.version.text.empty()) return record_.version;
  const ServerPtr known =
      context_.membership.Find({cluster_.id, wanted_.server.server_id});
  if (known == nullptr ||
      known->cluster_base_url != wanted_.server.cluster_base_url) {
    return {};
  }
  return known->version;
}

void Registration::SendRemoval() {
  const ServerKey key{cluster_.id, wanted_.server.server_id};
  const std::string& type = wanted_.server.type;
  // The record of one that does not answer is gone; what is there now is
  // somebody else's, and falls to nothing but its caller's word.
  const bool no_record =
      sleep_ == Sleep::kEvicted && exit_->cause != RemovalCause::kUnregistered;
  if (cluster_.id.empty() || no_record) {
    Leave(absl::OkStatus(), std::nullopt);
    return;
  }
  if (const auto cluster = Cluster(); cluster.ok()) {
    exit_->server_count = static_cast<int>(cluster->servers);
  }
  const std::uint64_t serial = exit_->serial;
  if (IsWish(exit_->cause)) {
    busy_ = exit_->asked = true;
    context_.registry.Unregister(
        key, type,
        Guarded([serial](Registration& self,
                         const absl::StatusOr<coord::Removed>& answer) {
          self.OnRemovalAnswer(serial, answer.status(), std::nullopt);
        }));
    return;
  }
  const RecordVersion version = FencingVersion();
  if (version.text.empty()) {
    Leave(absl::OkStatus(), std::nullopt);
    return;
  }
  busy_ = exit_->asked = true;
  // Our own renewals are no signs of life.
  const Evidence evidence{version, std::max(exit_->since, acknowledged_)};
  context_.registry.Remove(
      key, type, evidence,
      Guarded(
          [serial](Registration& self, const absl::StatusOr<Removal>& answer) {
            std::optional<Server> newer;
            if (answer.ok() && std::holds_alternative<NewerRecord>(*answer)) {
              newer = std::get<NewerRecord>(*answer).record;
            }
            self.OnRemovalAnswer(serial, answer.status(), std::move(newer));
          }));
}

void Registration::OnRemovalAnswer(std::uint64_t serial,
                                   const absl::Status& status,
                                   std::optional<Server> newer) {
  busy_ = false;
  if (!exit_) {
    Attempt();
  } else if (exit_->serial != serial) {
    SendRemoval();
  } else if (HasReason(status, Reason::kDraining)) {
    GiveRemovalUp(status);
  } else if (!status.ok() && !exit_->once) {
    // Nobody else may know, and the authority may let no lease expire.
    attempt_timer_ =
        RunAfter(context_.Jittered(context_.options.registration_retry),
                 &Registration::SendRemoval);
  } else {
    Leave(status, std::move(newer));
  }
}

void Registration::Leave(const absl::Status& status,
                         std::optional<Server> newer) {
  const bool gone = !newer && (status.ok() || IsWish(exit_->cause));
  TellEnd(status, newer.has_value());
  auto farewell = std::make_shared<Farewell>();
  farewell->answer = AnswerSoFar();
  farewell->waiting = std::move(exit_->waiting);
  if (!status.ok()) {
    farewell->answer.errors.push_back({"", std::string(status.message())});
  }
  // Where a newer record stands, somebody else holds the server now.
  const bool stays = exit_->cause == RemovalCause::kDied && !newer;
  LeaveMembership(gone, std::move(newer));
  NoDoubt();
  if (stays) {
    AnnounceLeave(gone, [](const AnnouncementResult&) {});
    exit_.reset();
    record_ = {};
    sleep_ = Sleep::kEvicted;
    return;
  }
  context_.store.Delete(
      wanted_.server,
      PostedTo(context_.loop, [farewell](const absl::Status& deleted) {
        if (!deleted.ok()) {
          farewell->answer.errors.push_back(
              {"", std::string(deleted.message())});
        }
        farewell->Step();
      }));
  AnnounceLeave(gone, [farewell](AnnouncementResult result) {
    for (auto& failed : result.failed) {
      farewell->answer.errors.push_back(
          {std::move(failed.server_id), std::move(failed.message)});
    }
    farewell->Step();
  });
  owner_.OnEnded(*this);
}

void Registration::TellEnd(const absl::Status& status, bool newer) const {
  // An orphan is no member, and was counted when it became one.
  const bool removed =
      exit_->asked && status.ok() && !newer && sleep_ != Sleep::kEvicted;
  const std::string_view record = newer          ? "stays, it is newer"
                                  : !status.ok() ? "unknown"
                                  : removed      ? "removed"
                                                 : "none";
  spdlog::info(
      "{}{}{}",
      exit_->cause == RemovalCause::kDied && !newer
          ? "left the cluster until it answers"
          : "registration ended",
      Fields({{"server", Name()},
              {"cause", Describe(exit_->cause)},
              {"record", record}}),
      status.ok() ? "" : Fields({{"error", StdView(status.message())}}));
  if (!removed) return;
  if (exit_->cause == RemovalCause::kSilent) {
    context_.evictions.OnEvicted(EvictionCause::kSession);
  } else if (exit_->cause == RemovalCause::kDied) {
    context_.evictions.OnEvicted(EvictionCause::kProbe);
  }
}

void Registration::LeaveMembership(bool gone, std::optional<Server> newer) {
  if (cluster_.id.empty()) return;
  const ServerKey key{cluster_.id, wanted_.server.server_id};
  const absl::Time now = context_.loop.WallTime();
  context_.membership.SetHeld(key, false);
  context_.registry.Forget(key, wanted_.server.type);
  if (gone) {
    context_.membership.Remove(
        key, IsWish(exit_->cause) ? ChangeType::kLeft : ChangeType::kEvicted,
        now);
  } else if (newer && !context_.registry.PushesChanges()) {
    context_.membership.Apply(
        cluster_,
        {ChangeType::kUpdated, std::make_shared<Server>(*std::move(newer))},
        now);
  }
}

void Registration::AnnounceLeave(bool gone, Peers::Announced done) {
  const auto rest = Cluster();
  if (gone && rest.ok() && rest->node_api_servers > 0) {
    const auto cluster =
        context_.membership.Snapshot(wanted_.server.type, cluster_.id);
    if (cluster.ok()) {
      context_.peers.AnnounceLeave(**cluster, wanted_.server.server_id,
                                   std::move(done));
      return;
    }
  }
  std::move(done)({});
}

}  // namespace coord
