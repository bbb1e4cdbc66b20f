#include "server/node/registrar_impl.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/log.h"
#include "server/node/register_check.h"

namespace coord {
namespace {

// Probes after a restart start at this rate, rather than all at once.
constexpr absl::Duration kResumedProbeSpacing = absl::Milliseconds(1);

std::string NameOf(const RegistrationRef& ref) {
  return ref.type + "/" + ref.server_id;
}

absl::Status Stopping(const char* action) {
  return WithRetryAfter(
      MakeError(Reason::kDraining,
                std::string(action) + ": this clusterd is shutting down"),
      absl::Seconds(1));
}

// Gives a service that we serve the cluster for its address there: below its
// type and id at our own listener (LocalProxy). Neither needs an escape.
void Advertise(Incarnation& incarnation, const RegistrarOptions& options) {
  if (incarnation.local_base_url.empty()) return;
  Server& server = incarnation.server;
  server.node_api = NodeApi::kYes;
  if (options.advertised_address.empty()) return;
  server.cluster_base_url =
      absl::StrCat("http://", options.advertised_address, "/", server.type, "/",
                   server.server_id);
}

// Only what a caller may say.
Server WithoutOutputs(const Server& server) {
  Server input;
  input.type = server.type;
  input.server_id = server.server_id;
  input.cluster_base_url = server.cluster_base_url;
  input.public_base_url = server.public_base_url;
  input.location_json = server.location_json;
  input.node_api = server.node_api;
  return input;
}

// What `command` wants; the id of its server is chosen where it left that to
// us.
Incarnation IncarnationOf(const RegisterCommand& command,
                          std::string session_id,
                          RegistrationContext& context) {
  Incarnation incarnation{WithoutOutputs(command.server), std::move(session_id),
                          command.ttl, command.local_base_url, command.lasting};
  if (incarnation.server.server_id.empty()) {
    incarnation.server.server_id = RandomUuid(context.random);
  }
  Advertise(incarnation, context.options);
  return incarnation;
}

}  // namespace

// Answers its caller once the store has acknowledged and, where asked for, the
// authority has or the time is over.
struct Registrar::Impl::RegisterCall {
  std::weak_ptr<Registration> registration;
  std::string session_id;
  Done<RegistrationView> done;
  bool stored = false;
  bool awaiting = false;
  bool answered = false;
  Registration::WaiterId waiter{};
  TimerId timer = kNoTimer;  // of the wait

  void Fail(absl::Status status) {
    if (std::exchange(answered, true)) return;
    std::move(done)(std::move(status));
  }
  bool Removed() const {
    const RegistrationPtr held = registration.lock();
    return held == nullptr || held->removing();
  }
  void AnswerIfReady() {
    if (!stored || awaiting) return;
    if (Removed()) {
      Fail(MakeError(Reason::kLeaseExpired,
                     "register: the session ended meanwhile"));
    } else if (registration.lock()->incarnation().session_id != session_id) {
      Fail(MakeError(Reason::kSessionSuperseded,
                     "register: a newer incarnation came meanwhile"));
    } else if (!std::exchange(answered, true)) {
      std::move(done)(registration.lock()->View());
    }
  }
};

Registrar::Impl::Impl(EventLoop& loop, Registry& registry,
                      RegistrationStore& store, Membership& membership,
                      Peers& peers, SelfDoubt& doubt,
                      EvictionObserver& evictions, RegistrarOptions options)
    : context_{loop,  registry, store,     membership,
               peers, doubt,    evictions, options},
      refresher_(loop, options.announced_refresh_pause,
                 [this](const std::string& cluster_id, Refresher::Done done) {
                   AskAuthority(cluster_id, std::move(done));
                 }) {}

void Registrar::Impl::Resume(std::vector<StoredRegistration> registrations) {
  int probes = 0;
  for (StoredRegistration& stored : registrations) {
    Incarnation incarnation{stored.server, stored.session_id, stored.ttl,
                            stored.local_base_url};
    // Our listener may be elsewhere in this life.
    Advertise(incarnation, context_.options);
    auto registration =
        std::make_shared<Registration>(context_, *this, std::move(incarnation));
    Hold(registration);
    sessions_.Resume(stored.session_id, registration->key(), stored.ttl);
    registration->TakeUp(stored, kResumedProbeSpacing * probes);
    if (!stored.ttl) ++probes;
  }
}

void Registrar::Impl::Hold(const RegistrationPtr& registration) {
  registrations_[registration->key()] = registration;
  count_ = registrations_.size();
}

void Registrar::Impl::Register(RegisterCommand command,
                               Done<RegistrationView> done) {
  if (stopping_) {
    std::move(done)(Stopping("register"));
    return;
  }
  absl::Status check = CheckRegisterCommand(command, context_.options);
  if (check.ok()) check = CheckAddressIsFree(command);
  if (!check.ok()) {
    std::move(done)(check);
  } else if (command.session_id.empty()) {
    RegisterNew(std::move(command), std::move(done));
  } else {
    RegisterAgain(std::move(command), std::move(done));
  }
}

// At our own listener servers of several clusters that share type and id would
// have one address.
absl::Status Registrar::Impl::CheckAddressIsFree(
    const RegisterCommand& command) const {
  const RegistrationKey key = RegistrationKey::Of(command.server);
  for (auto it = registrations_.lower_bound({key.type, key.server_id, ""});
       it != registrations_.end() && it->first.type == key.type &&
       it->first.server_id == key.server_id;
       ++it) {
    const bool local = !command.local_base_url.empty() ||
                       !it->second->incarnation().local_base_url.empty();
    if (local && it->first != key) {
      return InvalidField("server.server_id",
                          "is that of a server in another cluster, and both "
                          "would have one address at this clusterd");
    }
  }
  return absl::OkStatus();
}

// The authority, where it is in this process, has its limits, too. To meet them
// there would be too late: the caller has our promise by then.
absl::Status Registrar::Impl::CheckRoom(const RegistrationKey& key) const {
  const std::size_t most = context_.options.max_registrations;
  const bool authority_is_here = context_.registry.PushesChanges();
  if (registrations_.size() >= most ||
      (authority_is_here && context_.membership.Count().servers >= most)) {
    return LimitReached(Reason::kTooManyRegistrations,
                        absl::StrCat("register ", key.type, "/", key.server_id),
                        "servers are held", most, "--max-registrations");
  }
  return authority_is_here
             ? context_.membership.CheckRoom(key.type, key.public_base_url)
             : absl::OkStatus();
}

void Registrar::Impl::RegisterNew(RegisterCommand command,
                                  Done<RegistrationView> done) {
  Incarnation next = IncarnationOf(command, SecretId(), context_);
  const RegistrationKey key = RegistrationKey::Of(next.server);
  auto it = registrations_.find(key);
  if (it == registrations_.end()) {
    if (absl::Status room = CheckRoom(key); !room.ok()) {
      std::move(done)(std::move(room));
      return;
    }
  }
  sessions_.Open(next.session_id, key, next.ttl, context_.loop.Now());
  ArmSessionTimer();
  if (it == registrations_.end()) {
    auto registration =
        std::make_shared<Registration>(context_, *this, std::move(next));
    Hold(registration);
    Launch(registration, std::nullopt, command, std::move(done));
    return;
  }
  const RegistrationPtr registration = it->second;
  std::optional<Incarnation> previous;
  if (!registration->removing()) {
    previous = registration->incarnation();
    sessions_.Supersede(previous->session_id);
  }
  registration->Adopt(std::move(next));
  Launch(registration, std::move(previous), command, std::move(done));
}

void Registrar::Impl::RegisterAgain(RegisterCommand command,
                                    Done<RegistrationView> done) {
  const RegistrationKey* found = sessions_.Find(command.session_id);
  if (found == nullptr) {
    std::move(done)(sessions_.WhyClosed(command.session_id));
    return;
  }
  const RegistrationKey key = *found;
  if (command.server.server_id.empty()) {
    command.server.server_id = key.server_id;
  }
  if (RegistrationKey::Of(command.server) != key) {
    std::move(done)(InvalidField("session_id", "belongs to another server"));
    return;
  }
  const RegistrationPtr registration = registrations_.at(key);
  const Incarnation previous = registration->incarnation();
  Incarnation next = IncarnationOf(command, command.session_id, context_);
  next.server.state = previous.server.state;
  sessions_.Open(next.session_id, key, next.ttl, context_.loop.Now());
  ArmSessionTimer();
  registration->Adopt(std::move(next));
  Launch(registration, previous, command, std::move(done));
}

void Registrar::Impl::Launch(const RegistrationPtr& registration,
                             std::optional<Incarnation> previous,
                             const RegisterCommand& command,
                             Done<RegistrationView> done) {
  auto call = std::make_shared<RegisterCall>(RegisterCall{
      registration, registration->incarnation().session_id, std::move(done)});
  call->awaiting = command.wait.has_value() && !registration->up_to_date();
  context_.store.Save(
      registration->Stored(),
      Guarded([call, previous = std::move(previous),
               session_id = registration->incarnation().session_id](
                  Impl& self, const absl::Status& saved) {
        if (!saved.ok()) {
          call->Fail(saved);
          if (const RegistrationPtr held = call->registration.lock()) {
            self.Revert(*held, session_id, previous);
          }
          return;
        }
        call->stored = true;
        if (self.stopping_ && call->Removed()) call->Fail(Stopping("register"));
        call->AnswerIfReady();
      }));
  registration->Start(command.correlation_id);
  if (!call->awaiting) return;
  if (*command.wait < absl::InfiniteDuration()) {
    call->timer = context_.loop.RunAfter(*command.wait, [call] {
      if (const RegistrationPtr held = call->registration.lock()) {
        held->StopWaiting(call->waiter);
      }
      call->awaiting = false;
      call->AnswerIfReady();
    });
  }
  call->waiter = registration->WhenRegistered(
      [call, &loop = context_.loop](const absl::Status& status) {
        // It would hold what may be gone long before.
        loop.Cancel(call->timer);
        if (!status.ok()) call->Fail(status);
        call->awaiting = false;
        call->AnswerIfReady();
      });
}

// What could not be saved was never promised: as it was before.
void Registrar::Impl::Revert(Registration& registration,
                             const std::string& session_id,
                             const std::optional<Incarnation>& previous) {
  if (registration.removing() ||
      registration.incarnation().session_id != session_id) {
    return;
  }
  if (!previous) {
    sessions_.Close(session_id);
    registration.Remove(RemovalCause::kNotStored, context_.loop.Now(),
                        [](const auto&) {});
    return;
  }
  if (previous->session_id != session_id) {
    sessions_.Close(session_id);
    sessions_.Reinstate(previous->session_id);
  }
  sessions_.Open(previous->session_id, registration.key(), previous->ttl,
                 context_.loop.Now());
  ArmSessionTimer();
  registration.Adopt(*previous);
  registration.Start("");
}

void Registrar::Impl::KeepAlive(const std::string& session_id,
                                Done<KeepAliveAnswer> done) {
  const absl::StatusOr<absl::Duration> left =
      sessions_.Touch(session_id, context_.loop.Now());
  if (!left.ok()) {
    std::move(done)(left.status());
    return;
  }
  Registration& registration = *registrations_.at(*sessions_.Find(session_id));
  if (!stopping_) registration.OnKeepAlive();
  std::move(done)(
      KeepAliveAnswer{*left, registration.version(), registration.state()});
}

absl::StatusOr<Registrar::Impl::RegistrationPtr> Registrar::Impl::Find(
    const RegistrationRef& ref) const {
  RegistrationPtr found;
  for (auto it = registrations_.lower_bound({ref.type, ref.server_id, ""});
       it != registrations_.end() && it->first.type == ref.type &&
       it->first.server_id == ref.server_id;
       ++it) {
    const RegistrationPtr& candidate = it->second;
    if (!ref.cluster_id.empty() && candidate->cluster_id() != ref.cluster_id) {
      continue;
    }
    if (!ref.session_id.empty() &&
        candidate->incarnation().session_id == ref.session_id) {
      return candidate;
    }
    if (found != nullptr && ref.session_id.empty()) {
      return MakeError(Reason::kClusterAmbiguous,
                       "find " + NameOf(ref) +
                           ": it is registered in several clusters, name one");
    }
    found = candidate;
  }
  if (found == nullptr) {
    return MakeError(Reason::kServerNotFound,
                     "find " + NameOf(ref) + ": it is not registered here");
  }
  if (ref.session_id.empty()) return found;
  if (sessions_.Find(ref.session_id) != nullptr) {
    return InvalidField("session_id", "belongs to another server");
  }
  return MakeError(
      Reason::kSessionSuperseded,
      "use a session of " + NameOf(ref) + ": another one is the current");
}

void Registrar::Impl::SetDraining(const RegistrationRef& ref, bool draining,
                                  Done<RegistrationView> done) {
  const absl::StatusOr<RegistrationPtr> registration = Find(ref);
  if (!registration.ok()) {
    std::move(done)(registration.status());
    return;
  }
  if (stopping_ || (*registration)->removing()) {
    std::move(done)(Stopping("drain"));
    return;
  }
  const bool changed = (*registration)->SetDraining(draining);
  spdlog::info("{}{}{}", draining ? "drain asked for" : "undrain asked for",
               Fields({{"server", NameOf(ref)},
                       {"cluster_id", (*registration)->cluster_id()},
                       {"changed", changed ? "yes" : "no"}}),
               FieldsOf(ref.caller));
  context_.store.Save(
      (*registration)->Stored(),
      PostedTo(context_.loop,
               [registration = *registration,
                done = std::move(done)](const absl::Status& saved) mutable {
                 if (!saved.ok()) {
                   std::move(done)(saved);
                 } else {
                   std::move(done)(registration->View());
                 }
               }));
}

void Registrar::Impl::Unregister(const RegistrationRef& ref,
                                 Done<UnregisterAnswer> done) {
  const absl::StatusOr<RegistrationPtr> registration = Find(ref);
  if (!registration.ok()) {
    std::move(done)(registration.status());
    return;
  }
  spdlog::info(
      "unregister asked for{}{}",
      Fields({{"server", NameOf(ref)},
              {"cluster_id", (*registration)->cluster_id()},
              {"by", ref.session_id.empty() ? "hand" : "its session"}}),
      FieldsOf(ref.caller));
  sessions_.Close((*registration)->incarnation().session_id);
  (*registration)
      ->Remove(RemovalCause::kUnregistered, context_.loop.Now(),
               std::move(done));
}

void Registrar::Impl::Get(const RegistrationRef& ref,
                          Done<RegistrationView> done) {
  const absl::StatusOr<RegistrationPtr> registration = Find(ref);
  if (registration.ok()) {
    std::move(done)((*registration)->View());
  } else {
    std::move(done)(registration.status());
  }
}

void Registrar::Impl::List(const RegistrationRange& range,
                           Done<RegistrationSlice> done) {
  RegistrationSlice slice;
  for (auto it = registrations_.upper_bound(
           std::max(range.after, RegistrationKey{range.type, "", ""}));
       it != registrations_.end() &&
       (range.type.empty() || it->first.type == range.type);
       ++it) {
    slice.more = slice.views.size() == range.most;
    if (slice.more) break;
    slice.views.push_back(it->second->View());
    slice.views.back().session_id.clear();
  }
  std::move(done)(std::move(slice));
}

}  // namespace coord
