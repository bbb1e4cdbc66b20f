// Whether the service behind a registration lives: our own probes of it, and
// what follows from them.
#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/backoff.h"
#include "common/error.h"
#include "common/log.h"
#include "server/node/registration.h"

namespace coord {
namespace {

// For one that was removed and does not answer, but whose caller still speaks.
constexpr BackoffPolicy kOrphanProbes{absl::Seconds(1), absl::Minutes(5)};
// For one without a ttl, before its first answer and after its death.
constexpr absl::Duration kSoon = absl::Minutes(5);
constexpr BackoffPolicy kFirstProbes{absl::Milliseconds(250), absl::Seconds(2)};
constexpr BackoffPolicy kLateFirstProbes{absl::Seconds(10), absl::Seconds(10)};
constexpr BackoffPolicy kProbesOfDead{absl::Seconds(1), absl::Seconds(30)};

}  // namespace

// Behind our own listener, which would answer for a dead service too, there is
// a service that knows nothing of the node API.
Server Registration::ProbeTarget() const {
  Server target = wanted_.server;
  if (!wanted_.local_base_url.empty()) {
    target.cluster_base_url = wanted_.local_base_url;
    target.node_api = NodeApi::kNo;
  }
  return target;
}

void Registration::OnKeepAlive() {
  // Without a ttl it is the service that counts, not who registered it.
  if (!wanted_.ttl) return;
  heard_ = context_.loop.Now();
  if (sleep_ == Sleep::kUnheard) WakeUp();
}

// How old the last sign of life may be for a renewal: callers speak each third
// of their ttl, and a probe takes its time.
absl::Duration Registration::Patience() const {
  return wanted_.ttl ? *wanted_.ttl / 2 : 2 * context_.options.probe_interval;
}

void Registration::Contest(Claim claim) {
  if (contested_ || contest_timer_ != kNoTimer || !renewable() ||
      state_ != RegistrationState::kRegistered) {
    return;
  }
  claim_ = claim;
  // By a timer of its own: other probes go on while a claim waits.
  contest_timer_ =
      RunAfter(contest_backoff_.Next(context_.loop.Now(), context_.random),
               &Registration::DecideContest);
}

void Registration::DecideContest() {
  contest_timer_ = kNoTimer;
  contested_ = true;
  context_.loop.Cancel(probe_timer_);
  Probe();
}

void Registration::ProbeAfter(absl::Duration delay) {
  context_.loop.Cancel(std::exchange(probe_timer_, kNoTimer));
  if (delay == absl::InfiniteDuration()) return;
  probe_timer_ = RunAfter(delay, &Registration::Probe);
}

void Registration::Probe() {
  probe_timer_ = kNoTimer;
  if (probing_) return;
  probing_ = true;
  context_.peers.Probe(
      ProbeTarget(),
      Guarded([asked = context_.loop.Now(), place = place_](
                  Registration& self, const ProbeResult& result) {
        if (place != self.place_) return;
        self.probing_ = false;
        if (self.removing()) {
          self.contested_ = false;
          return;
        }
        self.OnProbed(asked, result);
      }));
}

void Registration::OnProbed(absl::Time asked, const ProbeResult& result) {
  if (!result.alive) {
    OnMissed(asked, result);
    return;
  }
  if (!result.answered) return OnNothingLearned();
  heard_ = context_.loop.Now();
  misses_ = 0;
  NoDoubt();
  if (!wanted_.ttl) {
    ProbeAfter(context_.Jittered(context_.options.probe_interval));
  }
  if (contested_) {
    spdlog::info("a server that was taken for gone registers again{}",
                 Fields({{"server", Name()},
                         {"claim", Describe(claim_)},
                         {"probe", result.why}}));
  }
  if (contested_ || sleep_ != Sleep::kAwake) WakeUp();
}

// All stays as it is: one that is awake is renewed as before, one that sleeps
// or is contested is asked again.
void Registration::OnNothingLearned() {
  if (sleep_ == Sleep::kAwake) heard_ = context_.loop.Now();
  if (std::exchange(contested_, false)) {
    contest_timer_ =
        RunAfter(contest_backoff_.Next(context_.loop.Now(), context_.random),
                 &Registration::DecideContest);
  }
  if (IsAwaited() && misses_++ == 0) first_miss_ = context_.loop.Now();
  if (ToBeForgotten()) return owner_.OnForgotten(*this, first_miss_);
  ProbeAgain();
}

void Registration::OnMissed(absl::Time asked, const ProbeResult& result) {
  if (misses_++ == 0) first_miss_ = asked;
  if (std::exchange(contested_, false)) BecomeOrphan(result.why);
  if (ToBeForgotten()) return owner_.OnForgotten(*this, first_miss_);
  if (heard_ == absl::InfinitePast() && state_ == RegistrationState::kPending) {
    TellPending(result.why);
  }
  if (!wanted_.ttl && !IsAwaited() && TakenForDead(result)) {
    Die(result.why);
  }
  ProbeAgain();
}

// Probes it until it answers, however long that takes.
void Registration::AwaitAnswer() {
  if (sleep_ == Sleep::kAwake) sleep_ = Sleep::kUnheard;
  if (state_ == RegistrationState::kPending) TellPending("");
  // Where there is a record of it, the time of its death runs on.
  if (IsAwaited()) misses_ = 0;
  context_.loop.Cancel(probe_timer_);
  Probe();
}

// Whether it was a member, and is none before it answers again.
bool Registration::IsOut() const { return sleep_ == Sleep::kEvicted || exit_; }

// Whether it is no member, and becomes one when it answers.
bool Registration::IsAwaited() const {
  return IsOut() || (!wanted_.ttl && cluster_.id.empty());
}

bool Registration::ToBeForgotten() const {
  return !wanted_.ttl && !wanted_.lasting && IsAwaited() && misses_ > 0 &&
         context_.loop.Now() - first_miss_ >= context_.options.forget_after;
}

void Registration::ProbeAgain() {
  const auto backoff = [&](const BackoffPolicy& policy) {
    return Backoff(policy, std::max(misses_, 1), context_.random);
  };
  if (wanted_.ttl) {
    if (IsOut()) ProbeAfter(backoff(kOrphanProbes));
  } else if (IsOut()) {
    ProbeAfter(backoff(kProbesOfDead));
  } else if (heard_ == absl::InfinitePast()) {
    const bool late = misses_ > 0 && context_.loop.Now() - first_miss_ > kSoon;
    ProbeAfter(backoff(late ? kLateFirstProbes : kFirstProbes));
  } else {
    ProbeAfter(context_.Jittered(context_.options.probe_interval));
  }
}

// Enough misses; and where nothing came back at all, no reason to think that it
// is this process which is cut off.
bool Registration::TakenForDead(const ProbeResult& result) {
  const ServerKey key{cluster_.id, wanted_.server.server_id};
  const bool silent =
      !result.refused && !result.answered && !key.cluster_id.empty();
  if (silent) {
    context_.doubt.Failed(key, /*held=*/true, result.why);
  } else {
    NoDoubt();
  }
  if (misses_ < context_.options.probe_misses) return false;
  // One that has not answered yet is asked more often.
  if (heard_ == absl::InfinitePast() &&
      context_.loop.Now() - first_miss_ < (context_.options.probe_misses - 1) *
                                              context_.options.probe_interval) {
    return false;
  }
  if (silent && !context_.doubt.MayRemove(key)) return false;
  if (silent) context_.doubt.Removing();
  return true;
}

void Registration::NoDoubt() {
  context_.doubt.Settled({cluster_.id, wanted_.server.server_id});
}

// It lives, whatever others say: register and announce at once.
void Registration::WakeUp() {
  if (!removing()) InterruptRemoval();
  sleep_ = Sleep::kAwake;
  contested_ = false;
  announce_ = true;
  Attempt();
}

// It is no member until it answers again.
void Registration::Die(const std::string& why) {
  spdlog::warn("a registered service no longer answers{}",
               Fields({{"server", Name()}, {"error", why}}));
  StopTimers();
  sleep_ = Sleep::kUnheard;
  state_ = RegistrationState::kOrphan;
  message_ = "the service does not answer: " + why;
  RemoveRecordOfDead();
}

// It is gone, and rightly so.
void Registration::BecomeOrphan(const std::string& why) {
  const std::string claim(Describe(claim_));
  spdlog::warn("a registered server is an orphan{}",
               Fields({{"server", Name()}, {"claim", claim}, {"error", why}}));
  CountOrphan();
  sleep_ = Sleep::kEvicted;
  state_ = RegistrationState::kOrphan;
  message_ = claim + ", and the service does not answer: " + why;
  StopTimers();
  const ServerKey key{cluster_.id, wanted_.server.server_id};
  context_.membership.SetHeld(key, false);
  context_.membership.Remove(key, ChangeType::kEvicted,
                             context_.loop.WallTime());
  CallAll(renewals_, MakeError(Reason::kNotRegistered,
                               "renew " + Name() + ": it is an orphan"));
}

// Whoever evicted it has counted that; here it is only others who say so.
void Registration::CountOrphan() const {
  switch (claim_) {
    case Claim::kEvicted:
    case Claim::kEvictedByHand:
    case Claim::kRemovedAtMit:
      return;
    case Claim::kLeaveTold:
    case Claim::kMoveTold:
      return context_.evictions.OnEvicted(EvictionCause::kPeer);
    case Claim::kNotListed:
      return context_.evictions.OnEvicted(EvictionCause::kAuthority);
  }
}

}  // namespace coord
