#include "server/registry/embedded_registry.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/correlation_id.h"
#include "common/error.h"
#include "common/ids.h"
#include "server/core/lease_table.h"
#include "server/registry/server_tables.h"

namespace coord {
namespace {

// Node's timers overflow above this.
constexpr absl::Duration kMaxLease = absl::Milliseconds(2'147'483'647);
// Expired leases are taken out together, so many in one write and at most this
// late.
constexpr std::size_t kMaxSwept = 1000;
constexpr absl::Duration kSweepGap = absl::Milliseconds(100);
// When the store refused a sweep.
constexpr absl::Duration kSweepRetry = absl::Seconds(10);
constexpr absl::Duration kTidyInterval = absl::Minutes(1);

absl::Status CheckServer(const Server& server) {
  if (!IsValidServerType(server.type)) {
    return InvalidField("server.type", kServerTypeRule);
  }
  if (!IsValidServerId(server.server_id)) {
    return InvalidField("server.server_id", kServerIdRule);
  }
  return absl::OkStatus();
}

// `server` as a record with the dates and the version of `dates`.
Server WithDatesOf(const Server& dates, Server server) {
  if (server.state != ServerState::kDraining) {
    server.state = ServerState::kActive;
  }
  server.create_time = dates.create_time;
  server.update_time = dates.update_time;
  server.version = dates.version;
  return server;
}

ClusterIdentity IdentityOf(const ServerKey& key, const Server& server) {
  return {key.cluster_id, server.type, server.public_base_url};
}

}  // namespace

// All state belongs to the writer thread of the database. An operation has two
// halves there: Decide, inside its transaction, and Apply, once that is
// durable. Operations that share a transaction all decide before the first of
// them applies; so what a decision changed must be read from the tables until
// then.
class EmbeddedRegistry::Impl
    : public std::enable_shared_from_this<EmbeddedRegistry::Impl> {
 public:
  Impl(Database& database, EventLoop& loop,
       const EmbeddedRegistryOptions& options, ChangeListener listener,
       ClusterRoster::IsWatched is_watched)
      : database_(database),
        loop_(loop),
        options_(options),
        lease_(std::min(options.lease, kMaxLease)),
        life_(2 * lease_ + options.expiry_grace),
        listener_(std::move(listener)),
        is_watched_(std::move(is_watched)) {}

  absl::Status Start();
  // Waits for what is in flight.
  void Stop();

  void Register(RegisterRequest request, Done<RegisterAnswer> done);
  void Remove(const ServerKey& key, std::optional<Evidence> evidence,
              Done<Removal> done);
  std::int64_t expired() const { return expired_; }

 private:
  struct Entry {
    ServerPtr record;  // nullptr: being changed, read the tables
    absl::Time renewed_at = absl::InfinitePast();
  };

  struct Operation {
    bool decided = false;
    absl::Time now;
    absl::Time wall_time;
    ClusterRoster::Forgotten forgotten;
  };
  struct Registration : Operation {
    Server server;
    Done<RegisterAnswer> done;
    ServerKey key;
    ServerPtr record;
    std::optional<ChangeType> change;
  };
  struct Removing : Operation {
    ServerKey key;
    std::optional<Evidence> evidence;
    Done<Removal> done;
    ServerPtr removed;
    ServerPtr newer;
  };
  struct Sweep : Operation {
    Done<absl::Duration> done;  // when to sweep again
    std::vector<std::pair<ServerKey, ServerPtr>> expired;
  };
  struct Tidying : Operation {
    Done<Removed> done;
  };

  template <typename Op>
  void Submit(std::shared_ptr<Op> op);

  absl::Status Decide(Registration& op);
  absl::Status Decide(Removing& op);
  absl::Status Decide(Sweep& op);
  absl::Status Decide(Tidying& op) {
    return roster_->ForgetEmpty(
        op.wall_time - options_.forget_empty_clusters_after, op.forgotten);
  }
  RegisterAnswer Apply(Registration& op);
  Removal Apply(Removing& op);
  absl::Duration Apply(Sweep& op);
  Removed Apply(Tidying&) { return {}; }

  absl::StatusOr<ServerPtr> Current(const ServerKey& key);
  absl::Status CheckRoom(const Server& server) const;
  void Touch(const ServerKey& key, absl::Time now);
  void Undo(const Registration& op);
  absl::Status Erase(const ServerKey& key, absl::Time wall_time);
  void Forget(const ServerKey& key, ServerPtr server, ChangeType how);
  void Publish(const ServerKey& key, ChangeType type, ServerPtr server);
  void SweepAfter(absl::Duration delay);
  void TidyLater();

  Database& database_;
  EventLoop& loop_;
  const EmbeddedRegistryOptions options_;
  const absl::Duration lease_;
  const absl::Duration life_;  // of a server that does not renew
  const ChangeListener listener_;
  const ClusterRoster::IsWatched is_watched_;

  std::unique_ptr<ServerTables> tables_;
  std::unique_ptr<ClusterRoster> roster_;
  absl::flat_hash_map<ServerKey, Entry> entries_;
  LeaseTable<ServerKey> leases_;
  std::atomic<std::int64_t> expired_ = 0;
};

absl::Status EmbeddedRegistry::Impl::Start() {
  absl::Status loaded = database_.Run([this](sqlite3* db) {
    tables_ = std::make_unique<ServerTables>(db);
    roster_ = std::make_unique<ClusterRoster>(*tables_, options_.max_clusters,
                                              is_watched_);
    const absl::Time expiry = loop_.Now() + life_;
    return tables_->ForEach([&](const ServerKey& key, ServerPtr server) {
      entries_[key].record = server;
      leases_.Grant(key, expiry);
      Publish(key, ChangeType::kJoined, std::move(server));
    });
  });
  if (!loaded.ok()) return loaded;
  SweepAfter(life_);
  TidyLater();
  return absl::OkStatus();
}

void EmbeddedRegistry::Impl::Stop() {
  // In a transaction of their own, as those before are applied after theirs.
  database_.Run([](sqlite3*) { return absl::OkStatus(); }).IgnoreError();
  database_
      .Run([this](sqlite3*) {
        roster_.reset();
        tables_.reset();
        return absl::OkStatus();
      })
      .IgnoreError();
}

template <typename Op>
void EmbeddedRegistry::Impl::Submit(std::shared_ptr<Op> op) {
  op->now = loop_.Now();
  op->wall_time = loop_.WallTime();
  database_.Submit(
      [this, op](sqlite3*) {
        op->decided = true;
        return Decide(*op);
      },
      [this, op](absl::Status status) {
        if (status.ok()) {
          roster_->Forget(op->forgotten);
          auto answer = Apply(*op);
          std::move(op->done)(std::move(answer));
        } else if (op->decided) {
          if constexpr (std::is_same_v<Op, Registration>) Undo(*op);
          std::move(op->done)(std::move(status));
        } else {
          // A full queue says so inside Submit.
          loop_.Post([op, status = std::move(status)]() mutable {
            std::move(op->done)(std::move(status));
          });
        }
      });
}

void EmbeddedRegistry::Impl::Register(RegisterRequest request,
                                      Done<RegisterAnswer> done) {
  auto op = std::make_shared<Registration>();
  op->server = std::move(request.server);
  op->done = std::move(done);
  Submit(std::move(op));
}

absl::Status EmbeddedRegistry::Impl::Decide(Registration& op) {
  absl::Status valid = CheckServer(op.server);
  if (!valid.ok()) return valid;
  absl::StatusOr<std::string> cluster = roster_->FindOrCreate(
      op.server.type, op.server.public_base_url, op.forgotten);
  if (!cluster.ok()) return cluster.status();
  op.key = {*std::move(cluster), op.server.server_id};
  absl::StatusOr<ServerPtr> current = Current(op.key);
  if (!current.ok()) return current.status();
  absl::Status room = *current ? absl::OkStatus() : CheckRoom(op.server);
  if (!room.ok()) return room;
  Touch(op.key, op.now);
  Server record = WithDatesOf(*current ? **current : Server(), op.server);
  if (*current && record == **current) {
    op.record = *std::move(current);
    return absl::OkStatus();
  }
  absl::StatusOr<absl::Time> version =
      tables_->NextVersion(op.key.cluster_id, op.wall_time);
  if (!version.ok()) return version.status();
  if (!*current) record.create_time = *version;
  record.update_time = *version;
  record.version.text = FormatDate(*version);
  op.change = *current ? ChangeType::kUpdated : ChangeType::kJoined;
  op.record = std::make_shared<Server>(std::move(record));
  entries_[op.key].record = nullptr;
  return tables_->Put(op.key, *op.record);
}

RegisterAnswer EmbeddedRegistry::Impl::Apply(Registration& op) {
  roster_->Note(IdentityOf(op.key, op.server));
  // Again: an earlier removal may have applied in between.
  Touch(op.key, op.now);
  entries_[op.key].record = op.record;
  if (op.change) Publish(op.key, *op.change, op.record);
  return {IdentityOf(op.key, *op.record), *op.record, lease_, std::nullopt};
}

void EmbeddedRegistry::Impl::Remove(const ServerKey& key,
                                    std::optional<Evidence> evidence,
                                    Done<Removal> done) {
  auto op = std::make_shared<Removing>();
  op->key = key;
  op->evidence = std::move(evidence);
  op->done = std::move(done);
  Submit(std::move(op));
}

absl::Status EmbeddedRegistry::Impl::Decide(Removing& op) {
  absl::StatusOr<ServerPtr> current = Current(op.key);
  if (!current.ok()) return current.status();
  if (*current == nullptr) return absl::OkStatus();
  if (op.evidence &&
      ((*current)->update_time > ParseDate(op.evidence->seen.text) ||
       entries_[op.key].renewed_at > op.evidence->since)) {
    op.newer = *std::move(current);
    return absl::OkStatus();
  }
  op.removed = *std::move(current);
  return Erase(op.key, op.wall_time);
}

Removal EmbeddedRegistry::Impl::Apply(Removing& op) {
  if (op.newer) return NewerRecord{*op.newer};
  if (op.removed) {
    Forget(op.key, std::move(op.removed),
           op.evidence ? ChangeType::kEvicted : ChangeType::kLeft);
  }
  return Removed{};
}

// What this process was told while it did not run waits to be read: as after a
// restart, leases start anew.
absl::Status EmbeddedRegistry::Impl::Decide(Sweep& op) {
  const absl::Time renewed = options_.last_standstill() + life_;
  std::vector<ServerKey> expired = leases_.TakeExpired(op.now, kMaxSwept);
  // What the store does not take, now or in the commit, expires once more.
  for (const ServerKey& key : expired) {
    leases_.Grant(key, std::max(renewed, op.now + kSweepRetry));
  }
  if (renewed > op.now) return absl::OkStatus();
  for (ServerKey& key : expired) {
    absl::StatusOr<ServerPtr> current = Current(key);
    if (!current.ok()) return current.status();
    if (*current == nullptr) {
      entries_.erase(key);
      leases_.Release(key);
      continue;
    }
    absl::Status erased = Erase(key, op.wall_time);
    if (!erased.ok()) return erased;
    op.expired.emplace_back(std::move(key), *std::move(current));
  }
  return absl::OkStatus();
}

absl::Duration EmbeddedRegistry::Impl::Apply(Sweep& op) {
  for (auto& [key, server] : op.expired) {
    Forget(key, std::move(server), ChangeType::kEvicted);
    ++expired_;
  }
  const absl::Duration next = leases_.NextCheck() - op.now;
  // There may be more that have expired.
  if (next <= absl::ZeroDuration()) return absl::ZeroDuration();
  return std::clamp(next, kSweepGap, life_);
}

absl::StatusOr<ServerPtr> EmbeddedRegistry::Impl::Current(
    const ServerKey& key) {
  auto it = entries_.find(key);
  if (it != entries_.end() && it->second.record) return it->second.record;
  return tables_->Find(key);
}

absl::Status EmbeddedRegistry::Impl::CheckRoom(const Server& server) const {
  if (entries_.size() < options_.max_servers) return absl::OkStatus();
  return LimitReached(Reason::kTooManyRegistrations,
                      "register " + server.type + "/" + server.server_id,
                      "servers are registered", options_.max_servers,
                      "--max-registrations");
}

// What was not written leaves no lease behind.
void EmbeddedRegistry::Impl::Undo(const Registration& op) {
  const auto it = entries_.find(op.key);
  if (it == entries_.end() || it->second.record) return;
  const absl::StatusOr<ServerPtr> written = tables_->Find(op.key);
  if (!written.ok() || *written) return;
  entries_.erase(it);
  leases_.Release(op.key);
}

void EmbeddedRegistry::Impl::Touch(const ServerKey& key, absl::Time now) {
  entries_[key].renewed_at = now;
  leases_.Grant(key, now + life_);
}

absl::Status EmbeddedRegistry::Impl::Erase(const ServerKey& key,
                                           absl::Time wall_time) {
  entries_[key].record = nullptr;
  return tables_->Delete(key, wall_time);
}

void EmbeddedRegistry::Impl::Forget(const ServerKey& key, ServerPtr server,
                                    ChangeType how) {
  entries_.erase(key);
  leases_.Release(key);
  Publish(key, how, std::move(server));
}

void EmbeddedRegistry::Impl::Publish(const ServerKey& key, ChangeType type,
                                     ServerPtr server) {
  listener_(IdentityOf(key, *server), Change{type, server});
}

void EmbeddedRegistry::Impl::SweepAfter(absl::Duration delay) {
  loop_.Post([this, weak = weak_from_this(), delay] {
    if (weak.expired()) return;
    loop_.RunAfter(delay, [this, weak] {
      if (weak.expired()) return;
      auto sweep = std::make_shared<Sweep>();
      sweep->done = [this](absl::StatusOr<absl::Duration> next) {
        SweepAfter(next.value_or(kSweepRetry));
      };
      Submit(std::move(sweep));
    });
  });
}

void EmbeddedRegistry::Impl::TidyLater() {
  loop_.Post([this, weak = weak_from_this()] {
    if (weak.expired()) return;
    loop_.RunAfter(kTidyInterval, [this, weak] {
      if (weak.expired()) return;
      auto tidying = std::make_shared<Tidying>();
      tidying->done = [this](const absl::StatusOr<Removed>&) { TidyLater(); };
      Submit(std::move(tidying));
    });
  });
}

absl::StatusOr<std::unique_ptr<EmbeddedRegistry>> EmbeddedRegistry::Create(
    Database& database, EventLoop& loop, EmbeddedRegistryOptions options,
    ChangeListener listener, ClusterRoster::IsWatched is_watched) {
  auto impl = std::make_shared<Impl>(
      database, loop, options, std::move(listener), std::move(is_watched));
  absl::Status started = impl->Start();
  if (!started.ok()) return started;
  return std::unique_ptr<EmbeddedRegistry>(
      new EmbeddedRegistry(std::move(impl)));
}

EmbeddedRegistry::EmbeddedRegistry(std::shared_ptr<Impl> impl)
    : impl_(std::move(impl)) {}

EmbeddedRegistry::~EmbeddedRegistry() { impl_->Stop(); }

std::int64_t EmbeddedRegistry::expired() const { return impl_->expired(); }

void EmbeddedRegistry::Register(RegisterRequest request,
                                Done<RegisterAnswer> done) {
  impl_->Register(std::move(request), std::move(done));
}

void EmbeddedRegistry::Unregister(const ServerKey& key,
                                  const std::string& /*type*/,
                                  Done<Removed> done) {
  impl_->Remove(
      key, std::nullopt,
      [done = std::move(done)](absl::StatusOr<Removal> removal) mutable {
        if (removal.ok()) {
          std::move(done)(Removed{});
        } else {
          std::move(done)(removal.status());
        }
      });
}

void EmbeddedRegistry::Remove(const ServerKey& key, const std::string& /*type*/,
                              const Evidence& evidence, Done<Removal> done) {
  impl_->Remove(key, evidence, std::move(done));
}

}  // namespace coord
