// The registrations that this process holds: each one's life from the first
// attempt to its removal, and the sessions that keep it alive.
#ifndef SERVER_NODE_REGISTRAR_H_
#define SERVER_NODE_REGISTRAR_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/event_loop.h"
#include "server/core/caller.h"
#include "server/core/membership.h"
#include "server/core/server.h"
#include "server/node/claim.h"
#include "server/node/eviction_observer.h"
#include "server/node/peers.h"
#include "server/node/registration_key.h"
#include "server/node/registration_store.h"
#include "server/node/self_doubt.h"
#include "server/registry/registry.h"

namespace coord {

struct RegistrarOptions {
  absl::Duration registration_retry = absl::Seconds(3);
  absl::Duration max_renewal_interval = absl::Minutes(10);
  absl::Duration probe_interval = absl::Seconds(10);
  int probe_misses = 3;  // in a row: dead
  // Without a ttl: how long a service that does not answer is waited for.
  absl::Duration forget_after = absl::Hours(24);
  absl::Duration min_ttl = absl::Seconds(1);
  absl::Duration max_ttl = absl::Hours(24);
  // How long a session of an earlier life of this process lives at the least
  // without being heard from: its caller may need a while to find us again.
  absl::Duration resume_grace = absl::Seconds(45);
  // When a lone server registers once more: this, and up to lone_jitter.
  absl::Duration lone_recheck = absl::Seconds(60);
  absl::Duration lone_jitter = absl::Seconds(10);
  // Held here, or known to an authority that is in this process.
  std::size_t max_registrations = 100'000;
  bool management = true;  // off: register and renew only
  // Refreshes of one cluster that announcements ask for.
  absl::Duration announced_refresh_pause = absl::Seconds(30);
  // When this process last began to run again after it had not: it was stopped,
  // starved by the machine, or paused with it. That it was busy counts for
  // nothing. By EventLoop::Now, the infinite past for never; thread-safe.
  std::function<absl::Time()> last_standstill = absl::InfinitePast;
  // `10.0.0.7:7780`: where other servers reach this process's HTTP listener.
  // Empty: nowhere, and nothing can be registered by a local_base_url.
  std::string advertised_address;
};

enum class RegistrationState { kPending, kRegistered, kOrphan, kUnregistering };

// A copy of what is known of one registration.
struct RegistrationView {
  Server server;
  std::string local_base_url;  // empty: the service is reached without us
  std::string session_id;
  RegistrationState state = RegistrationState::kPending;
  std::string message;
  std::string cluster_id;
  std::optional<absl::Duration> ttl;
  absl::Duration lease;
  absl::Time register_time = absl::InfinitePast();
  absl::Time next_renewal_time = absl::InfinitePast();
  AnnouncementResult announcement;  // the first 10 failures
  int server_count = 0;
  absl::Time cluster_update_time = absl::InfinitePast();
  absl::Duration cluster_age = absl::InfiniteDuration();  // of server_count

  // `registered`, `orphan: <message>`.
  std::string StatusText() const;
};

struct RegisterCommand {
  Server server;  // an empty id gets a UUID
  // Where we reach the service; the server's cluster_base_url is then one of
  // our own listener's. Empty: the server says where it is.
  std::string local_base_url;
  // nullopt: in the cluster whenever it answers our probes.
  std::optional<absl::Duration> ttl;
  bool lasting = false;    // without a ttl: never forgotten
  std::string session_id;  // empty: a new incarnation
  // nullopt: answer at once; else when the authority has acknowledged, or with
  // PENDING after this time.
  std::optional<absl::Duration> wait;
  std::string correlation_id;
};

struct KeepAliveAnswer {
  absl::Duration time_left;
  RecordVersion etag;
  RegistrationState state;
};

// A part of the registrations, by type, server_id and public_base_url.
struct RegistrationRange {
  std::string type;       // empty: all
  RegistrationKey after;  // begins behind this one, which need not be there
  std::size_t most = 100;
};

struct RegistrationSlice {
  std::vector<RegistrationView> views;  // session ids are blank
  bool more = false;                    // the range goes on behind these
};

// Names a registration; an empty session means the current one, whichever.
struct RegistrationRef {
  std::string type;
  std::string cluster_id;
  std::string server_id;
  std::string session_id;
  Caller caller;  // who asks
};

struct UnregisterAnswer {
  int server_count = 0;
  std::string server_id;
  struct Error {
    std::string server_id;  // empty: the authority
    std::string message;
  };
  std::vector<Error> errors;
};

// Thread-safe but for what is told to be for the loop; the work happens on
// `loop`, where every `done` is called, never inside the call.
class Registrar {
 public:
  template <typename T>
  using Done = absl::AnyInvocable<void(absl::StatusOr<T>) &&>;

  // All must outlive it, and `peers` live on `loop`.
  Registrar(EventLoop& loop, Registry& registry, RegistrationStore& store,
            Membership& membership, Peers& peers, SelfDoubt& doubt,
            EvictionObserver& evictions, RegistrarOptions options);
  // After the loop stopped.
  ~Registrar();

  // Takes up what an earlier life of this process held: no session ends before
  // StartResumed, and nothing is sent for a server until its caller speaks or
  // its probe succeeds. Once, before anything else.
  void Resume(std::vector<StoredRegistration> registrations);
  // Callers can reach this process from now on: each session that was taken up
  // and is not heard from ends after its ttl, and after resume_grace at the
  // earliest. Once.
  void StartResumed();

  // Errors: see RegistryService.RegisterServer.
  void Register(RegisterCommand command, Done<RegistrationView> done);
  // Errors: NOT_FOUND · LEASE_EXPIRED, FAILED_PRECONDITION ·
  // SESSION_SUPERSEDED.
  void KeepAlive(std::string session_id, Done<KeepAliveAnswer> done);
  // Errors: NOT_FOUND · SERVER_NOT_FOUND, SESSION_SUPERSEDED, INVALID_ARGUMENT
  // (the session is another server's).
  void SetDraining(RegistrationRef ref, bool draining,
                   Done<RegistrationView> done);
  void Unregister(RegistrationRef ref, Done<UnregisterAnswer> done);
  void Get(RegistrationRef ref, Done<RegistrationView> done);
  // Takes the loop a few microseconds for each one that it lists.
  void List(RegistrationRange range, Done<RegistrationSlice> done);

  // Refreshes a cluster because a peer's announcement gave reason to; at most
  // once in announced_refresh_pause, later if need be. Nobody waits for it.
  void RefreshSoon(const std::string& cluster_id);

  // There is reason to think that a server held here is gone: probe it; dead:
  // ORPHAN; alive: register and announce at once, then with backoff.
  void Contested(const ServerKey& key, Claim claim);

  // How many registrations are held.
  std::size_t Count() const;

  // --- for the other parts of node/, on the loop ----------------------------

  // Brings the list of a cluster up to date with the authority, then calls
  // `done`: at once where changes are pushed, else by renewing one of our
  // registrations in it. At most one request in flight for each cluster.
  // Errors: those of Registry::Register; NOT_REGISTERED when none is held in
  // it.
  void Refresh(const std::string& cluster_id,
               absl::AnyInvocable<void(absl::Status) &&> done);

  // Whether a server is held here.
  bool Holds(const ServerKey& key) const;

  // What to ask a server for a sign of life; nullopt: it is not held here.
  std::optional<Server> ProbeTarget(const ServerKey& key) const;

  // Ends everything: `unregister` removes each registration first, with
  // `timeout` for all; else records stay for the next life.
  void Stop(bool unregister, absl::Duration timeout,
            absl::AnyInvocable<void() &&> done);

 private:
  class Impl;
  EventLoop& loop_;
  std::shared_ptr<Impl> impl_;
};

}  // namespace coord

#endif  // SERVER_NODE_REGISTRAR_H_
