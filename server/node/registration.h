// The life of one registration, from its first attempt to its removal.
#ifndef SERVER_NODE_REGISTRATION_H_
#define SERVER_NODE_REGISTRATION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/random/random.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/event_loop.h"
#include "server/core/membership.h"
#include "server/core/server.h"
#include "server/node/contest_backoff.h"
#include "server/node/peers.h"
#include "server/node/registrar.h"
#include "server/node/registration_store.h"
#include "server/node/session_table.h"
#include "server/registry/registry.h"

namespace coord {

class Registration;

// What all registrations share.
struct RegistrationContext {
  EventLoop& loop;
  Registry& registry;
  RegistrationStore& store;
  Membership& membership;
  Peers& peers;
  SelfDoubt& doubt;
  EvictionObserver& evictions;
  const RegistrarOptions options;
  absl::BitGen random = {};

  // `duration` ± 10 %.
  absl::Duration Jittered(absl::Duration duration);
  std::string FreshCorrelationId();
};

// Whoever keeps the registrations. Called on the loop; must outlive them.
class RegistrationOwner {
 public:
  virtual ~RegistrationOwner() = default;
  // It is in another cluster than before; `left` is empty for the first one.
  virtual void OnClusterChanged(Registration& registration,
                                const std::string& left) = 0;
  // In answer to a request sent at `asked`, the authority did not list these.
  virtual void OnMissing(const std::string& cluster_id,
                         const std::vector<std::string>& server_ids,
                         absl::Time asked) = 0;
  // Its service has not shown life for too long to be waited for; the session
  // must end, and Remove follows.
  virtual void OnForgotten(Registration& registration, absl::Time since) = 0;
  // It is gone; nothing more is to be asked of it.
  virtual void OnEnded(Registration& registration) = 0;
};

// One server as its caller wants it registered, by one of its lives.
struct Incarnation {
  Server server;
  std::string session_id;
  // nullopt: in the cluster whenever it answers our own probe.
  std::optional<absl::Duration> ttl;
  std::string local_base_url;  // empty: the server is where it says
  bool lasting = false;        // never forgotten, however long it is silent
};

enum class RemovalCause {
  // Somebody's wish: whatever the record is now.
  kUnregistered,
  kStopping,  // this process ends, and with it its registrations
  // Fenced by the version that was last written.
  kSilent,     // its session was not kept alive
  kDied,       // its service failed our probes; only the record goes
  kForgotten,  // its service has not answered for too long
  kNotStored,  // it was never acknowledged
};

// One request to the authority is in flight at the most, be it an attempt or a
// removal; what comes up meanwhile follows it. Lives on the loop; a late answer
// to one that has ended does nothing. Held by shared_ptr.
class Registration : public std::enable_shared_from_this<Registration> {
 public:
  using Registered = absl::AnyInvocable<void(absl::Status) &&>;
  using Removed = absl::AnyInvocable<void(absl::StatusOr<UnregisterAnswer>) &&>;
  enum class WaiterId : std::uint64_t {};

  Registration(RegistrationContext& context, RegistrationOwner& owner,
               Incarnation incarnation);

  // --- as its caller wants it (registration.cc) ------------------------------

  // A retry or a change of the same session, or a new incarnation, which may
  // even interrupt a removal.
  void Adopt(Incarnation next);
  // Registers at once, unless that is done; without a ttl as soon as the
  // service answers. Wakes one that was taken up.
  void Start(const std::string& correlation_id);
  // Takes up what an earlier life of this process held: nothing is sent until
  // it shows life, and the first probe goes after `probe_delay`.
  void TakeUp(const StoredRegistration& stored, absl::Duration probe_delay);
  // Whether that changed anything.
  bool SetDraining(bool draining);
  // Calls `done` when the authority has acknowledged what is wanted now, or
  // when that will never happen. Errors: SESSION_SUPERSEDED, LEASE_EXPIRED.
  WaiterId WhenRegistered(Registered done);
  // Its `done` is destroyed without a call.
  void StopWaiting(WaiterId waiter) { waiting_.erase(waiter); }
  // The process ends. Who waits for an acknowledgement hears DRAINING, or OK
  // where the registration is `kept`: it stays PENDING for the next life.
  void EndWaiting(bool kept);
  // One request to the authority; `done` learns how it went.
  void Renew(Registered done);
  // No request, timer or answer will do anything from now on.
  void Halt();

  // --- whether it lives (registration_liveness.cc) ---------------------------

  // Its caller spoke.
  void OnKeepAlive();
  // There is reason to think that it is gone: probe it, then act.
  void Contest(Claim claim);
  // What to ask for a sign of life.
  Server ProbeTarget() const;

  // --- the way out (registration_removal.cc) ---------------------------------

  // Stops every timer, removes the record, tells the others. Any number may
  // ask; the first cause counts, except that its caller's word beats a death.
  // Errors: DRAINING when the process ended before the authority had answered;
  // then it is still in the store, for the next life.
  void Remove(RemovalCause cause, absl::Time since, Removed done);

  RegistrationView View() const;
  StoredRegistration Stored() const;
  RegistrationKey key() const { return RegistrationKey::Of(wanted_.server); }
  const Incarnation& incarnation() const { return wanted_; }
  const std::string& cluster_id() const { return cluster_.id; }
  RegistrationState state() const;
  const RecordVersion& version() const { return record_.version; }
  // Whether it ends. One whose service has died does not.
  bool removing() const { return exit_ && exit_->cause != RemovalCause::kDied; }
  // Whether Renew may be asked: it is neither on its way out nor asleep.
  bool renewable() const { return !exit_ && sleep_ == Sleep::kAwake; }
  // Whether it has shown life lately enough to be renewed. One that fell silent
  // may be held by somebody else by now, whose record a renewal would
  // overwrite, and the removal that follows take away.
  bool heard_lately() const {
    return context_.loop.Now() - heard_ <= Patience();
  }
  // Whether the authority has acknowledged what is wanted now.
  bool up_to_date() const;
  // When the authority last acknowledged it.
  absl::Time acknowledged() const { return acknowledged_; }

 private:
  // Why nothing is sent to the authority.
  enum class Sleep {
    kAwake,
    kUnheard,  // not yet, since a restart, or for too long to be renewed: until
               // its caller speaks or a probe succeeds
    kEvicted,  // it does not answer, and was removed: until a probe succeeds
  };
  struct Sent {
    std::int64_t mark;
    absl::Time at;
    std::uint64_t revision;
  };
  struct Exit {
    std::uint64_t serial;
    RemovalCause cause;
    absl::Time since;
    bool once = false;   // a caller waits for the answer
    bool asked = false;  // the authority, for the removal of a record
    std::vector<Removed> waiting;
    int server_count = 0;  // before
  };

  // registration.cc
  void Attempt();
  void AttemptIfHeard();
  void OnAnswer(const Sent& sent, absl::StatusOr<RegisterAnswer> answer);
  void OnRegistered(const Sent& sent, RegisterAnswer answer);
  void OnFailed(const absl::Status& status);
  void OnInterrupted(const absl::Status& status);
  void TakeAnswer(const Sent& sent, RegisterAnswer& answer);
  void EnterCluster(const ClusterIdentity& cluster);
  void Announce();
  absl::StatusOr<ClusterSummary> Cluster() const;
  bool Alone() const;
  void AttemptAfter(absl::Duration delay);
  void WatchForCompany();
  void Save();
  // Of one whose service has not answered yet, in this life.
  void TellPending(std::string_view why);
  void StopTimers();
  std::string Name() const;

  static void CallAll(std::vector<Registered>& waiting,
                      const absl::Status& status);
  void AnswerWaiting(const absl::Status& status);

  // registration_liveness.cc
  void ProbeAfter(absl::Duration delay);  // infinite: never
  void Probe();
  void DecideContest();
  void OnProbed(absl::Time asked, const ProbeResult& result);
  void OnNothingLearned();
  void OnMissed(absl::Time asked, const ProbeResult& result);
  void AwaitAnswer();
  bool IsOut() const;
  bool IsAwaited() const;
  bool ToBeForgotten() const;
  void ProbeAgain();
  bool TakenForDead(const ProbeResult& result);
  void Die(const std::string& why);
  void NoDoubt();
  absl::Duration Patience() const;
  void WakeUp();
  void BecomeOrphan(const std::string& why);
  void CountOrphan() const;

  // registration_removal.cc
  void RemoveRecordOfDead();
  void SendRemoval();
  void OnRemovalAnswer(std::uint64_t serial, const absl::Status& status,
                       std::optional<Server> newer);
  void Leave(const absl::Status& status, std::optional<Server> newer);
  void TellEnd(const absl::Status& status, bool newer) const;
  void LeaveMembership(bool gone, std::optional<Server> newer);
  void AnnounceLeave(bool gone, Peers::Announced done);
  void InterruptRemoval();
  void GiveRemovalUp(const absl::Status& status);
  UnregisterAnswer AnswerSoFar() const;
  RecordVersion FencingVersion() const;

  // Wraps `f(Registration&, args…)` so that it runs on the loop if this still
  // exists.
  template <typename F>
  auto Guarded(F f) {
    return PostedTo(context_.loop, [weak = weak_from_this(),
                                    f = std::move(f)](auto&&... args) mutable {
      if (auto self = weak.lock(); self != nullptr && !self->halted_) {
        f(*self, std::forward<decltype(args)>(args)...);
      }
    });
  }
  TimerId RunAfter(absl::Duration delay, void (Registration::*f)());

  RegistrationContext& context_;
  RegistrationOwner& owner_;

  // What is wanted; the revision counts its changes.
  Incarnation wanted_;
  std::uint64_t revision_ = 1;
  std::string correlation_id_;

  // What the authority has acknowledged.
  RegistrationState state_ = RegistrationState::kPending;
  std::string message_;
  std::uint64_t registered_revision_ = 0;
  ClusterIdentity cluster_;
  Server record_;
  absl::Duration lease_ = absl::ZeroDuration();
  absl::Time lease_end_ = absl::InfinitePast();
  absl::Time acknowledged_ = absl::InfinitePast();
  absl::Time register_time_ = absl::InfinitePast();  // of day, as the next
  absl::Time next_renewal_time_ = absl::InfinitePast();
  AnnouncementResult announcement_;

  bool halted_ = false;
  bool busy_ = false;   // a request is in flight
  bool again_ = false;  // another attempt must follow it
  bool announce_ = true;
  TimerId attempt_timer_ = kNoTimer;
  TimerId lone_timer_ = kNoTimer;
  absl::btree_map<WaiterId, Registered> waiting_;  // for an acknowledgement
  std::uint64_t last_waiter_ = 0;
  std::vector<Registered> renewals_;  // for the next attempt
  std::vector<Registered> renewals_in_flight_;

  Sleep sleep_ = Sleep::kAwake;
  absl::Time heard_ = absl::InfinitePast();  // the last sign of life
  Claim claim_ = Claim::kNotListed;          // the last one
  bool contested_ = false;  // the probe that is in flight decides about it
  bool probing_ = false;
  std::uint64_t place_ = 0;  // counts what may be probed, one after the other
  int misses_ = 0;
  absl::Time first_miss_ = absl::InfinitePast();
  TimerId probe_timer_ = kNoTimer;
  TimerId contest_timer_ = kNoTimer;  // a claim waits for its probe
  ContestBackoff contest_backoff_;

  std::optional<Exit> exit_;
  std::uint64_t exits_ = 0;
};

}  // namespace coord

#endif  // SERVER_NODE_REGISTRATION_H_
