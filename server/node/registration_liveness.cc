// Whether the service behind a registration lives: our own probes of it, and
// what follows from them.
#include <spdlog/spdlog.h>

#include <utility>

#include "common/backoff.h"
#include "common/error.h"
#include "common/log.h"
#include "server/node/registration.h"

namespace coord {
namespace {

// For one that was removed and does not answer, but whose caller still speaks.
constexpr BackoffPolicy kOrphanProbes{absl::Seconds(1), absl::Minutes(5)};

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
      Guarded([asked = context_.loop.Now(), session = wanted_.session_id](
                  Registration& self, ProbeResult result) {
        self.probing_ = false;
        if (self.removing()) {
          self.contested_ = false;
          return;
        }
        if (session != self.wanted_.session_id) {
          result = {
              .alive = true, .answered = true, .why = "it registered anew"};
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
  if (!wanted_.ttl) {
    ProbeAfter(context_.Jittered(context_.options.probe_interval));
  } else if (sleep_ == Sleep::kEvicted) {
    ProbeAfter(Backoff(kOrphanProbes, misses_, context_.random));
  }
}

void Registration::OnMissed(absl::Time asked, const ProbeResult& result) {
  if (misses_++ == 0) first_miss_ = asked;
  if (std::exchange(contested_, false)) BecomeOrphan(result.why);
  if (wanted_.ttl) {
    if (sleep_ == Sleep::kEvicted) {
      ProbeAfter(Backoff(kOrphanProbes, misses_, context_.random));
    }
  } else if (TakenForDead(result)) {
    spdlog::warn("a registered service no longer answers{}",
                 Fields({{"server", Name()}, {"error", result.why}}));
    owner_.OnDied(*this, first_miss_);
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
  if (silent && !context_.doubt.MayRemove(key)) return false;
  if (silent) context_.doubt.Removing();
  return true;
}

void Registration::NoDoubt() {
  context_.doubt.Settled({cluster_.id, wanted_.server.server_id});
}

// It lives, whatever others say: register and announce at once.
void Registration::WakeUp() {
  sleep_ = Sleep::kAwake;
  contested_ = false;
  announce_ = true;
  Attempt();
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
