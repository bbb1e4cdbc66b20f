#include "server/fanout/engine.h"

#include <atomic>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "server/fanout/call_check.h"
#include "server/fanout/call_plan.h"
#include "server/fanout/running_call.h"

namespace coord {
namespace {

// When a caller that met a limit may come again.
constexpr absl::Duration kBusyRetryAfter = absl::Milliseconds(100);
constexpr absl::Duration kDrainRetryAfter = absl::Seconds(1);

class RefusedCall final : public FanOutEngine::CallHandle {
 public:
  void Cancel() override {}
};

absl::Status TooMany(Reason reason, std::string what, int limit) {
  return WithRetryAfter(
      MakeError(reason,
                absl::StrCat("call cluster: ", what,
                             " in flight are at their limit of ", limit),
                {{"limit", absl::StrCat(limit)}}),
      kBusyRetryAfter);
}

}  // namespace

struct FanOutEngine::Shared {
  EngineState state;
  std::vector<std::unique_ptr<EngineLane>> lanes;
  std::atomic<std::size_t> next_lane = 0;
  std::atomic<bool> draining = false;

  EngineLane& NextLane() {
    return *lanes[next_lane.fetch_add(1, std::memory_order_relaxed) %
                  lanes.size()];
  }
  absl::StatusOr<CallPlan> Admit(const FanOutCall& call);
  absl::Status TakePermits(const CallPlan& plan);
};

// The plan of a call that may run, with its permits taken.
absl::StatusOr<CallPlan> FanOutEngine::Shared::Admit(const FanOutCall& call) {
  if (draining) {
    return WithRetryAfter(
        MakeError(Reason::kDraining, "call cluster: this process is draining"),
        kDrainRetryAfter);
  }
  if (!state.options.management) {
    return MakeError(Reason::kManagementOff,
                     "call cluster: cluster management is off");
  }
  if (absl::Status s = CheckCall(call, state.options); !s.ok()) return s;
  if (call.time_left <= absl::ZeroDuration()) {
    return MakeError(Reason::kDeadlineExceeded,
                     "call cluster: the deadline has passed");
  }
  absl::StatusOr<CallPlan> plan =
      PlanCall(call, state.options, state.membership);
  if (!plan.ok()) return plan;
  if (absl::Status s = TakePermits(*plan); !s.ok()) return s;
  return plan;
}

absl::Status FanOutEngine::Shared::TakePermits(const CallPlan& plan) {
  if (!state.calls.TryTake(1)) {
    return TooMany(Reason::kTooManyCalls, "calls", state.options.max_calls);
  }
  if (!state.node_calls.TryTake(plan.concurrency)) {
    state.calls.Give(1);
    return TooMany(Reason::kTooManyNodeCalls, "node calls",
                   state.options.max_node_calls);
  }
  return absl::OkStatus();
}

FanOutEngine::FanOutEngine(FanOutOptions options, std::vector<Lane> lanes,
                           const Membership& membership, TokenSource* tokens,
                           SuspicionSink& suspicions, FanOutObserver& observer)
    : shared_(new Shared{
          {std::move(options), membership, tokens, suspicions, observer}}) {
  for (const Lane& lane : lanes) {
    shared_->lanes.push_back(
        std::make_unique<EngineLane>(*lane.loop, *lane.transport));
  }
}

FanOutEngine::~FanOutEngine() = default;

std::shared_ptr<FanOutEngine::CallHandle> FanOutEngine::Start(
    FanOutCall call, Delivery delivery, std::shared_ptr<FanOutSink> sink) {
  EngineLane& lane = shared_->NextLane();
  absl::StatusOr<CallPlan> plan = shared_->Admit(call);
  if (!plan.ok()) {
    shared_->state.observer.OnCallRefused(plan.status());
    lane.loop.Post([sink = std::move(sink), status = plan.status()] {
      sink->OnRefused(status);
    });
    return std::make_shared<RefusedCall>();
  }
  shared_->state.observer.OnCallStarted();
  auto running = std::make_shared<RunningCall>(
      shared_->state, lane, std::move(call), *std::move(plan), delivery,
      std::move(sink));
  lane.loop.Post([running] { running->Begin(); });
  return running;
}

void FanOutEngine::Drain() { shared_->draining = true; }

int FanOutEngine::calls_in_flight() const {
  return shared_->state.calls.taken();
}

}  // namespace coord
