#include "server/node/registration.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/random/distributions.h"
#include "absl/strings/str_cat.h"
#include "common/backoff.h"
#include "common/correlation_id.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/log.h"

namespace coord {
namespace {

constexpr double kJitter = 0.1;
constexpr absl::Duration kDefaultLease = absl::Hours(2);
constexpr absl::Duration kMinLease = absl::Seconds(1);
constexpr double kRenewalPoint = 0.8;         // of a lease
constexpr std::size_t kMaxKeptFailures = 10;  // of an announcement
constexpr char kNeverAnswered[] = "never answered yet";
constexpr char kTakenUp[] =
    "taken up after a restart, waits for a sign of life";

// A lease that makes no sense would end in a flood of renewals.
absl::Duration CorrectLease(absl::Duration granted) {
  if (granted <= absl::ZeroDuration()) return kDefaultLease;
  return std::max(granted, kMinLease);
}

}  // namespace

absl::Duration RegistrationContext::Jittered(absl::Duration duration) {
  return Jitter(duration, kJitter, random);
}

std::string RegistrationContext::FreshCorrelationId() {
  return NextCorrelationId("", RandomUuid(random), loop.WallTime());
}

Registration::Registration(RegistrationContext& context,
                           RegistrationOwner& owner, Incarnation incarnation)
    : context_(context), owner_(owner), wanted_(std::move(incarnation)) {}

void Registration::Adopt(Incarnation next) {
  const bool same_session = next.session_id == wanted_.session_id;
  const bool same_server = next.server == wanted_.server;
  const bool same_place =
      next.server.cluster_base_url == wanted_.server.cluster_base_url &&
      next.local_base_url == wanted_.local_base_url;
  wanted_ = std::move(next);
  if (!same_session) {
    AnswerWaiting(
        MakeError(Reason::kSessionSuperseded,
                  "register " + Name() + ": a newer incarnation came"));
    state_ = RegistrationState::kPending;
    message_.clear();
    register_time_ = absl::InfinitePast();
    announcement_ = {};
    InterruptRemoval();
  }
  if (!same_session || !same_place) {
    // What a probe of the former says is not of it.
    heard_ = absl::InfinitePast();
    ++place_;
    probing_ = contested_ = false;
  }
  if (!same_session || !same_server) {
    ++revision_;
    announce_ = true;
  }
}

void Registration::Start(const std::string& correlation_id) {
  correlation_id_ = correlation_id;
  if (!wanted_.ttl &&
      (sleep_ != Sleep::kAwake || heard_ == absl::InfinitePast())) {
    AwaitAnswer();
    return;
  }
  if (wanted_.ttl) {
    if (!removing()) InterruptRemoval();  // of the record of the dead
    sleep_ = Sleep::kAwake;
    heard_ = context_.loop.Now();
    misses_ = 0;
    NoDoubt();
    ProbeAfter(absl::InfiniteDuration());
  } else if (probe_timer_ == kNoTimer && !probing_) {
    ProbeAfter(context_.Jittered(context_.options.probe_interval));
  }
  if (!up_to_date()) Attempt();
}

bool Registration::up_to_date() const {
  return registered_revision_ == revision_ &&
         state() == RegistrationState::kRegistered;
}

void Registration::TellPending(std::string_view why) {
  message_ = absl::StrCat(
      register_time_ == absl::InfinitePast() ? kNeverAnswered : kTakenUp,
      why.empty() ? "" : ": ", absl::string_view(why.data(), why.size()));
}

void Registration::TakeUp(const StoredRegistration& stored,
                          absl::Duration probe_delay) {
  sleep_ = Sleep::kUnheard;
  message_ = kTakenUp;
  register_time_ = stored.register_time;
  if (!stored.cluster_id.empty()) {
    EnterCluster(
        {stored.cluster_id, stored.server.type, stored.server.public_base_url});
  }
  if (!wanted_.ttl) ProbeAfter(probe_delay);
}

bool Registration::SetDraining(bool draining) {
  const ServerState state =
      draining ? ServerState::kDraining : ServerState::kActive;
  if (wanted_.server.state == state) return false;
  wanted_.server.state = state;
  ++revision_;
  // Seen here at once, whatever the authority can carry.
  if (!cluster_.id.empty()) {
    context_.membership.SetState({cluster_.id, wanted_.server.server_id},
                                 record_.version, state,
                                 context_.loop.WallTime());
  }
  if (renewable()) Attempt();
  return true;
}

void Registration::CallAll(std::vector<Registered>& waiting,
                           const absl::Status& status) {
  for (Registered& done : std::exchange(waiting, {})) std::move(done)(status);
}

void Registration::AnswerWaiting(const absl::Status& status) {
  for (auto& [waiter, done] : std::exchange(waiting_, {})) {
    std::move(done)(status);
  }
}

Registration::WaiterId Registration::WhenRegistered(Registered done) {
  const WaiterId waiter{++last_waiter_};
  waiting_.emplace(waiter, std::move(done));
  return waiter;
}

void Registration::Renew(Registered done) {
  renewals_.push_back(std::move(done));
  Attempt();
}

void Registration::EndWaiting(bool kept) {
  if (message_.empty() && !up_to_date()) {
    message_ =
        "this clusterd is shutting down, and the authority has not answered "
        "yet";
  }
  AnswerWaiting(kept ? absl::OkStatus()
                     : MakeError(Reason::kDraining,
                                 "register " + Name() +
                                     ": this clusterd is shutting down"));
}

void Registration::Halt() {
  StopTimers();
  halted_ = true;
  AnswerWaiting(absl::OkStatus());
}

void Registration::StopTimers() {
  for (TimerId* timer :
       {&attempt_timer_, &lone_timer_, &probe_timer_, &contest_timer_}) {
    context_.loop.Cancel(std::exchange(*timer, kNoTimer));
  }
}

TimerId Registration::RunAfter(absl::Duration delay,
                               void (Registration::*f)()) {
  return context_.loop.RunAfter(delay, [weak = weak_from_this(), f] {
    if (auto self = weak.lock()) ((*self).*f)();
  });
}

void Registration::AttemptAfter(absl::Duration delay) {
  context_.loop.Cancel(attempt_timer_);
  attempt_timer_ = RunAfter(delay, &Registration::AttemptIfHeard);
  next_renewal_time_ = context_.loop.WallTime() + delay;
}

void Registration::AttemptIfHeard() {
  if (heard_lately()) {
    Attempt();
  } else {
    sleep_ = Sleep::kUnheard;
  }
}

void Registration::Attempt() {
  context_.loop.Cancel(std::exchange(attempt_timer_, kNoTimer));
  if (busy_) {
    again_ = true;
    return;
  }
  busy_ = true;
  again_ = false;
  renewals_in_flight_ = std::exchange(renewals_, {});
  RegisterRequest request;
  request.server = wanted_.server;
  request.managed = context_.options.management;
  request.correlation_id = correlation_id_.empty()
                               ? context_.FreshCorrelationId()
                               : std::exchange(correlation_id_, {});
  const Sent sent{context_.membership.Mark(), context_.loop.Now(), revision_};
  context_.registry.Register(
      std::move(request),
      Guarded(
          [sent](Registration& self, absl::StatusOr<RegisterAnswer> answer) {
            self.OnAnswer(sent, std::move(answer));
          }));
}

void Registration::OnAnswer(const Sent& sent,
                            absl::StatusOr<RegisterAnswer> answer) {
  const auto keep_alive = shared_from_this();
  busy_ = false;
  const absl::Status status = answer.status();
  if (HasReason(status, Reason::kDraining)) return OnInterrupted(status);
  if (status.ok()) {
    OnRegistered(sent, *std::move(answer));
  } else {
    OnFailed(status);
  }
  CallAll(renewals_in_flight_, status);
  if (busy_ || halted_) return;
  if (exit_) {
    SendRemoval();
  } else if (sleep_ == Sleep::kEvicted) {
    context_.loop.Cancel(std::exchange(attempt_timer_, kNoTimer));
  } else if (again_ || (status.ok() && sent.revision != revision_)) {
    Attempt();
  }
}

void Registration::OnRegistered(const Sent& sent, RegisterAnswer answer) {
  const bool new_life = state() != RegistrationState::kRegistered;
  TakeAnswer(sent, answer);
  if (exit_ || sent.revision != revision_) return;

  registered_revision_ = sent.revision;
  state_ = RegistrationState::kRegistered;
  sleep_ = Sleep::kAwake;
  message_.clear();
  const bool first = register_time_ == absl::InfinitePast();
  if (first) register_time_ = context_.loop.WallTime();
  if (new_life) {
    announce_ = true;
    spdlog::info("registered{}",
                 Fields({{"server", Name()}, {"cluster_id", cluster_.id}}));
    WatchForCompany();
  }
  const absl::Duration base =
      std::min(lease_ * kRenewalPoint,
               context_.options.max_renewal_interval / (1 + kJitter));
  AttemptAfter(context_.Jittered(base));
  if (first) Save();
  if (std::exchange(announce_, false)) Announce();
  AnswerWaiting(absl::OkStatus());
}

// What is true whether or not something else is wanted by now.
void Registration::TakeAnswer(const Sent& sent, RegisterAnswer& answer) {
  lease_ = CorrectLease(answer.lease);
  if (lease_ != answer.lease) {
    spdlog::warn("corrected a lease that makes no sense{}",
                 Fields({{"server", Name()},
                         {"granted", absl::FormatDuration(answer.lease)},
                         {"used", absl::FormatDuration(lease_)}}));
  }
  lease_end_ = sent.at + lease_;
  acknowledged_ = context_.loop.Now();
  record_ = std::move(answer.record);
  EnterCluster(answer.cluster);
  const absl::Time now = context_.loop.WallTime();
  if (answer.servers) {
    const Membership::MergeOutcome outcome = context_.membership.Replace(
        cluster_, *std::move(answer.servers), sent.mark, now);
    context_.membership.Listed(cluster_.id, sent.at);
    owner_.OnMissing(cluster_.id, outcome.contested, sent.at);
  }
  if (record_.state != wanted_.server.state) {
    context_.membership.SetState({cluster_.id, wanted_.server.server_id},
                                 record_.version, wanted_.server.state, now);
  }
}

void Registration::OnFailed(const absl::Status& status) {
  const bool news = message_.empty();
  message_ = std::string(status.message());
  spdlog::log(news ? spdlog::level::warn : spdlog::level::debug,
              "registration failed, trying again{}",
              Fields({{"server", Name()}, {"error", message_}}));
  if (!exit_) {
    AttemptAfter(context_.Jittered(context_.options.registration_retry));
  }
}

// This process ends, and asks for nothing any more.
void Registration::OnInterrupted(const absl::Status& status) {
  CallAll(renewals_in_flight_, status);
  CallAll(renewals_, status);
  if (exit_) GiveRemovalUp(Annotate(status, "unregister " + Name()));
}

void Registration::EnterCluster(const ClusterIdentity& cluster) {
  if (cluster.id != cluster_.id) {
    const std::string left = cluster_.id;
    if (!left.empty()) {
      NoDoubt();
      const ServerKey former{left, wanted_.server.server_id};
      context_.membership.SetHeld(former, false);
      context_.registry.Forget(former, wanted_.server.type);
    }
    cluster_ = cluster;
    owner_.OnClusterChanged(*this, left);
    if (state_ == RegistrationState::kRegistered && !removing()) Save();
  }
  context_.membership.SetHeld({cluster_.id, wanted_.server.server_id}, true);
}

void Registration::Announce() {
  // Most clusters have nobody to be told, and a snapshot has its price.
  const auto others = Cluster();
  if (!others.ok() || others->node_api_servers == 0) {
    announcement_ = {};
    return;
  }
  const auto cluster =
      context_.membership.Snapshot(wanted_.server.type, cluster_.id);
  if (!cluster.ok()) return;
  context_.peers.AnnounceJoin(
      **cluster, wanted_.server.server_id,
      Guarded([](Registration& self, AnnouncementResult result) {
        // Enough to see what is wrong; they are kept as long as this.
        if (result.failed.size() > kMaxKeptFailures) {
          result.failed.resize(kMaxKeptFailures);
          result.failed.shrink_to_fit();
        }
        self.announcement_ = std::move(result);
      }));
}

absl::StatusOr<ClusterSummary> Registration::Cluster() const {
  return context_.membership.Summary(wanted_.server.type, cluster_.id);
}

bool Registration::Alone() const {
  const auto cluster = Cluster();
  return !cluster.ok() || cluster->servers < 2;
}

// Two that registered in the same moment may each believe to be alone; the
// second look finds the other.
void Registration::WatchForCompany() {
  context_.loop.Cancel(std::exchange(lone_timer_, kNoTimer));
  if (!context_.options.management || !Alone()) return;
  const absl::Duration delay =
      context_.options.lone_recheck +
      context_.options.lone_jitter *
          absl::Uniform(absl::IntervalClosed, context_.random, 0.0, 1.0);
  lone_timer_ = context_.loop.RunAfter(delay, [weak = weak_from_this()] {
    auto self = weak.lock();
    if (self == nullptr || !self->renewable() || !self->Alone()) return;
    self->announce_ = true;
    self->Attempt();
  });
}

// Only adds what the authority said; that the registration is wanted was saved
// when its caller asked for it.
void Registration::Save() {
  context_.store.Save(Stored(), [name = Name()](absl::Status status) {
    if (status.ok()) return;
    spdlog::warn("could not note the cluster of a registration{}",
                 Fields({{"server", name}, {"error", status.ToString()}}));
  });
}

RegistrationState Registration::state() const {
  if (removing()) return RegistrationState::kUnregistering;
  if (state_ == RegistrationState::kRegistered &&
      context_.loop.Now() >= lease_end_) {
    return RegistrationState::kOrphan;
  }
  return state_;
}

std::string Registration::Name() const {
  return absl::StrCat(wanted_.server.type, "/", wanted_.server.server_id);
}

StoredRegistration Registration::Stored() const {
  return {wanted_.server, cluster_.id,    wanted_.session_id,
          wanted_.ttl,    register_time_, wanted_.local_base_url};
}

RegistrationView Registration::View() const {
  RegistrationView view;
  view.server = wanted_.server;
  view.server.create_time = record_.create_time;
  view.server.update_time = record_.update_time;
  view.server.version = record_.version;
  view.local_base_url = wanted_.local_base_url;
  view.session_id = wanted_.session_id;
  view.state = state();
  view.message = message_;
  if (view.state == RegistrationState::kOrphan && message_.empty()) {
    view.message = "the lease ran out";
  }
  view.cluster_id = cluster_.id;
  view.ttl = wanted_.ttl;
  view.lease = lease_;
  view.register_time = register_time_;
  // One that sleeps is not renewed before it shows life.
  if (renewable()) view.next_renewal_time = next_renewal_time_;
  view.announcement = announcement_;
  if (cluster_.id.empty()) return view;
  if (const auto cluster = Cluster(); cluster.ok()) {
    view.server_count = static_cast<int>(cluster->servers);
    view.cluster_update_time = cluster->update_time;
    view.cluster_age = AgeOf(cluster->known_at, context_.loop.Now());
  }
  return view;
}

std::string RegistrationView::StatusText() const {
  switch (state) {
    case RegistrationState::kRegistered:
      return "registered";
    case RegistrationState::kOrphan:
      return "orphan: " + message;
    case RegistrationState::kPending:
      return message.empty() ? "orphan: pending" : "orphan: " + message;
    case RegistrationState::kUnregistering:
      return "orphan: unregistering";
  }
  return "";
}

}  // namespace coord
