// The collection of registrations and what its callers may ask; all on the
// loop.
#ifndef SERVER_NODE_REGISTRAR_IMPL_H_
#define SERVER_NODE_REGISTRAR_IMPL_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "server/node/refresher.h"
#include "server/node/registrar.h"
#include "server/node/registration.h"
#include "server/node/session_table.h"

namespace coord {

class Registrar::Impl final : public std::enable_shared_from_this<Impl>,
                              public RegistrationOwner {
 public:
  Impl(EventLoop& loop, Registry& registry, RegistrationStore& store,
       Membership& membership, Peers& peers, SelfDoubt& doubt,
       EvictionObserver& evictions, RegistrarOptions options);

  void Resume(std::vector<StoredRegistration> registrations);
  // `since`: when callers could first reach this process.
  void StartResumed(absl::Time since);
  void Register(RegisterCommand command, Done<RegistrationView> done);
  void KeepAlive(const std::string& session_id, Done<KeepAliveAnswer> done);
  void SetDraining(const RegistrationRef& ref, bool draining,
                   Done<RegistrationView> done);
  void Unregister(const RegistrationRef& ref, Done<UnregisterAnswer> done);
  void Get(const RegistrationRef& ref, Done<RegistrationView> done);
  void List(const RegistrationRange& range, Done<RegistrationSlice> done);
  void Stop(bool unregister, absl::Duration timeout,
            absl::AnyInvocable<void() &&> done);

  void Contested(const ServerKey& key, Claim claim);
  // Thread-safe.
  std::size_t Count() const { return count_; }
  bool Holds(const ServerKey& key) const { return Held(key) != nullptr; }
  std::optional<Server> ProbeTarget(const ServerKey& key) const;
  Refresher& refresher() { return refresher_; }

 private:
  using RegistrationPtr = std::shared_ptr<Registration>;
  struct RegisterCall;
  struct Shutdown;

  void Hold(const RegistrationPtr& registration);
  absl::Status CheckAddressIsFree(const RegisterCommand& command) const;
  // For one that is not held yet.
  absl::Status CheckRoom(const RegistrationKey& key) const;
  void RegisterNew(RegisterCommand command, Done<RegistrationView> done);
  void RegisterAgain(RegisterCommand command, Done<RegistrationView> done);
  void Launch(const RegistrationPtr& registration,
              std::optional<Incarnation> previous,
              const RegisterCommand& command, Done<RegistrationView> done);
  void Revert(Registration& registration, const std::string& session_id,
              const std::optional<Incarnation>& previous);
  absl::StatusOr<RegistrationPtr> Find(const RegistrationRef& ref) const;
  // nullptr when it is not held here.
  RegistrationPtr Held(const ServerKey& key) const;

  // `server_id` is held in that cluster no longer.
  void Forget(const std::string& cluster_id, const std::string& server_id);
  void AskAuthority(const std::string& cluster_id, Refresher::Done done);
  void ArmSessionTimer();
  void CheckSessions();
  void EndSilentSessions(absl::Time now);
  void UnregisterMore(const std::shared_ptr<Shutdown>& shutdown);

  void OnClusterChanged(Registration& registration,
                        const std::string& left) override;
  void OnMissing(const std::string& cluster_id,
                 const std::vector<std::string>& server_ids,
                 absl::Time asked) override;
  void OnForgotten(Registration& registration, absl::Time since) override;
  void OnEnded(Registration& registration) override;

  // `f(Impl&, args…)` on the loop, if this still exists.
  template <typename F>
  auto Guarded(F f) {
    return PostedTo(context_.loop, [weak = weak_from_this(),
                                    f = std::move(f)](auto&&... args) mutable {
      if (auto self = weak.lock()) {
        f(*self, std::forward<decltype(args)>(args)...);
      }
    });
  }

  RegistrationContext context_;
  Refresher refresher_;
  SessionTable sessions_;
  absl::btree_map<RegistrationKey, RegistrationPtr> registrations_;
  std::atomic<std::size_t> count_ = 0;  // of these
  // By cluster and server id.
  absl::flat_hash_map<std::string,
                      absl::btree_map<std::string, RegistrationPtr>>
      clusters_;
  TimerId session_timer_ = kNoTimer;
  absl::Time session_check_ = absl::InfiniteFuture();
  bool stopping_ = false;
};

}  // namespace coord

#endif  // SERVER_NODE_REGISTRAR_IMPL_H_
