#include "server/node/registrar.h"

#include <utility>

#include "server/node/registrar_impl.h"

namespace coord {

Registrar::Registrar(EventLoop& loop, Registry& registry,
                     RegistrationStore& store, Membership& membership,
                     Peers& peers, SelfDoubt& doubt,
                     EvictionObserver& evictions, RegistrarOptions options)
    : loop_(loop),
      impl_(std::make_shared<Impl>(loop, registry, store, membership, peers,
                                   doubt, evictions, options)) {}

Registrar::~Registrar() = default;

void Registrar::Resume(std::vector<StoredRegistration> registrations) {
  loop_.Post(
      [impl = impl_, registrations = std::move(registrations)]() mutable {
        impl->Resume(std::move(registrations));
      });
}

void Registrar::StartResumed() {
  loop_.Post(
      [impl = impl_, since = loop_.Now()] { impl->StartResumed(since); });
}

void Registrar::Register(RegisterCommand command, Done<RegistrationView> done) {
  loop_.Post([impl = impl_, command = std::move(command),
              done = std::move(done)]() mutable {
    impl->Register(std::move(command), std::move(done));
  });
}

void Registrar::KeepAlive(std::string session_id, Done<KeepAliveAnswer> done) {
  loop_.Post([impl = impl_, session_id = std::move(session_id),
              done = std::move(done)]() mutable {
    impl->KeepAlive(session_id, std::move(done));
  });
}

void Registrar::SetDraining(RegistrationRef ref, bool draining,
                            Done<RegistrationView> done) {
  loop_.Post([impl = impl_, ref = std::move(ref), draining,
              done = std::move(done)]() mutable {
    impl->SetDraining(ref, draining, std::move(done));
  });
}

void Registrar::Unregister(RegistrationRef ref, Done<UnregisterAnswer> done) {
  loop_.Post(
      [impl = impl_, ref = std::move(ref), done = std::move(done)]() mutable {
        impl->Unregister(ref, std::move(done));
      });
}

void Registrar::Get(RegistrationRef ref, Done<RegistrationView> done) {
  loop_.Post(
      [impl = impl_, ref = std::move(ref), done = std::move(done)]() mutable {
        impl->Get(ref, std::move(done));
      });
}

void Registrar::List(RegistrationRange range, Done<RegistrationSlice> done) {
  loop_.Post([impl = impl_, range = std::move(range),
              done = std::move(done)]() mutable {
    impl->List(range, std::move(done));
  });
}

void Registrar::Refresh(const std::string& cluster_id,
                        absl::AnyInvocable<void(absl::Status) &&> done) {
  impl_->refresher().Refresh(cluster_id, std::move(done));
}

void Registrar::RefreshSoon(const std::string& cluster_id) {
  loop_.Post([impl = impl_, cluster_id] {
    impl->refresher().RefreshSoon(cluster_id);
  });
}

void Registrar::Contested(const ServerKey& key, Claim claim) {
  loop_.Post([impl = impl_, key, claim] { impl->Contested(key, claim); });
}

std::size_t Registrar::Count() const { return impl_->Count(); }

bool Registrar::Holds(const ServerKey& key) const { return impl_->Holds(key); }

std::optional<Server> Registrar::ProbeTarget(const ServerKey& key) const {
  return impl_->ProbeTarget(key);
}

void Registrar::Stop(bool unregister, absl::Duration timeout,
                     absl::AnyInvocable<void() &&> done) {
  loop_.Post(
      [impl = impl_, unregister, timeout, done = std::move(done)]() mutable {
        impl->Stop(unregister, timeout, std::move(done));
      });
}

}  // namespace coord
