#include "server/fanout/waiting_call.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/error.h"
#include "server/fanout/answer_room.h"

namespace coord {
namespace {

// Of the time that a call has: what it may wait, and what must be left for it
// to be worth a start.
constexpr int kMayWait = 4;
constexpr int kMustBeLeft = 2;
constexpr absl::Duration kDrainRetryAfter = absl::Seconds(1);

absl::Status CallerGaveUp() {
  return MakeError(Reason::kCancelled, "call cluster: the caller gave up");
}

}  // namespace

absl::Status Draining() {
  return WithRetryAfter(
      MakeError(Reason::kDraining, "call cluster: this process is draining"),
      kDrainRetryAfter);
}

absl::StatusOr<CallPlan> PlanAdmitted(EngineState& engine,
                                      const FanOutCall& call, Delivery delivery,
                                      SnapshotPtr snapshot, int node_calls) {
  // Also for a call that is refused: it may be since the list is old.
  const Knowledge knowledge = engine.knowledge.Judge(*snapshot);
  absl::StatusOr<CallPlan> plan =
      PlanCall(call, engine.options, std::move(snapshot));
  if (plan.ok()) plan->knowledge = knowledge;
  if (plan.ok() && delivery == Delivery::kAtOnce) {
    absl::Status fits = ReserveRoom(call, engine.format, *plan);
    if (!fits.ok()) plan = std::move(fits);
  }
  const int needed = plan.ok() ? std::min(plan->concurrency, node_calls) : 0;
  if (plan.ok()) plan->concurrency = needed;
  if (needed < node_calls) engine.admission.GiveNodeCalls(node_calls - needed);
  if (!plan.ok()) engine.admission.GiveCall();
  return plan;
}

WaitingCall::WaitingCall(EngineState& engine, EngineLane& lane, FanOutCall call,
                         int node_calls, Delivery delivery,
                         std::shared_ptr<FanOutSink> sink)
    : engine_(engine),
      lane_(lane),
      call_(std::move(call)),
      node_calls_(node_calls),
      delivery_(delivery),
      sink_(std::move(sink)),
      start_(lane.loop.Now()) {}

void WaitingCall::Start() {
  const std::shared_ptr<WaitingCall> self = shared_from_this();
  const std::optional<Admission::Ticket> ticket = engine_.admission.Wait(
      node_calls_,
      [self] { self->lane_.loop.Post([self] { self->OnAdmitted(); }); });
  lane_.loop.Post([self, ticket] {
    if (ticket) {
      self->StartClock(*ticket);
    } else {
      self->Refuse(self->engine_.admission.Refusal(absl::ZeroDuration()));
    }
  });
}

void WaitingCall::StartClock(Admission::Ticket ticket) {
  if (sink_ == nullptr) return;  // was admitted meanwhile
  ticket_ = ticket;
  lane_.calls.insert(shared_from_this());
  if (lane_.stopped) return Stop();
  const absl::Duration may_wait =
      std::min(engine_.options.max_queue_time, call_.time_left / kMayWait);
  timer_ =
      lane_.loop.RunAfter(start_ + may_wait - lane_.loop.Now(),
                          [self = shared_from_this()] { self->OnTimeout(); });
}

void WaitingCall::OnTimeout() {
  timer_ = kNoTimer;
  if (!engine_.admission.Leave(ticket_)) return;
  const absl::Duration waited = lane_.loop.Now() - start_;
  engine_.observer.OnCallWaited(waited);
  Refuse(engine_.admission.Refusal(waited));
}

void WaitingCall::Cancel() {
  lane_.loop.Post([self = shared_from_this()] { self->OnCancel(); });
}

void WaitingCall::OnCancel() {
  if (running_ != nullptr) return running_->Cancel();
  if (sink_ == nullptr) return;
  if (!engine_.admission.Leave(ticket_)) {
    cancelled_ = true;  // to be found by OnAdmitted, which is on its way
    return;
  }
  engine_.observer.OnCallWaited(lane_.loop.Now() - start_);
  Refuse(CallerGaveUp());
}

// One that was admitted meanwhile finds its lane stopped.
void WaitingCall::Stop() {
  if (!engine_.admission.Leave(ticket_)) return;
  engine_.observer.OnCallWaited(lane_.loop.Now() - start_);
  Refuse(Draining());
}

void WaitingCall::OnAdmitted() {
  engine_.observer.OnCallWaited(lane_.loop.Now() - start_);
  if (absl::Status status = Run(); !status.ok()) Refuse(std::move(status));
}

absl::Status WaitingCall::Run() {
  const absl::Duration waited = lane_.loop.Now() - start_;
  absl::Status refusal;
  if (cancelled_) {
    refusal = CallerGaveUp();
  } else if (lane_.stopped) {
    refusal = Draining();
  } else if (waited > call_.time_left / kMustBeLeft) {
    refusal = engine_.admission.Refusal(waited);
  }
  absl::StatusOr<SnapshotPtr> snapshot = SnapshotFor(call_, engine_.membership);
  if (refusal.ok()) refusal = snapshot.status();
  if (!refusal.ok()) {
    engine_.admission.GiveNodeCalls(node_calls_);
    engine_.admission.GiveCall();
    return refusal;
  }
  absl::StatusOr<CallPlan> plan = PlanAdmitted(
      engine_, call_, delivery_, *std::move(snapshot), node_calls_);
  if (!plan.ok()) return plan.status();
  lane_.loop.Cancel(timer_);
  lane_.calls.erase(shared_from_this());
  engine_.observer.OnCallStarted();
  running_ = std::make_shared<RunningCall>(engine_, lane_, std::move(call_),
                                           *std::move(plan), delivery_,
                                           std::move(sink_), start_);
  running_->Begin();
  return absl::OkStatus();
}

void WaitingCall::Refuse(absl::Status status) {
  lane_.loop.Cancel(timer_);
  lane_.calls.erase(shared_from_this());
  engine_.observer.OnCallRefused(status);
  std::exchange(sink_, nullptr)->OnRefused(std::move(status));
}

}  // namespace coord
