#include "server/fanout/engine.h"

#include <atomic>
#include <cstddef>
#include <utility>

#include "common/error.h"
#include "server/fanout/call_check.h"
#include "server/fanout/call_plan.h"
#include "server/fanout/running_call.h"
#include "server/fanout/waiting_call.h"

namespace coord {
namespace {

class RefusedCall final : public FanOutEngine::CallHandle {
 public:
  void Cancel() override {}
  void Taken(std::size_t) override {}
};

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
  absl::Status CheckOpen() const;
  absl::StatusOr<std::shared_ptr<CallHandle>> Admit(
      FanOutCall& call, Delivery delivery, std::shared_ptr<FanOutSink>& sink,
      EngineLane& lane);
};

absl::Status FanOutEngine::Shared::CheckOpen() const {
  if (draining) return Draining();
  if (!state.options.management) {
    return MakeError(Reason::kManagementOff,
                     "call cluster: cluster management is off");
  }
  if (state.admission.Full()) {
    return state.admission.Refusal(absl::ZeroDuration());
  }
  return absl::OkStatus();
}

// A call that runs or waits; it has taken `call` and `sink` over then.
absl::StatusOr<std::shared_ptr<FanOutEngine::CallHandle>>
FanOutEngine::Shared::Admit(FanOutCall& call, Delivery delivery,
                            std::shared_ptr<FanOutSink>& sink,
                            EngineLane& lane) {
  if (absl::Status s = CheckOpen(); !s.ok()) return s;
  if (absl::Status s = CheckCall(call, state.options); !s.ok()) return s;
  if (call.time_left <= absl::ZeroDuration()) {
    return MakeError(Reason::kDeadlineExceeded,
                     "call cluster: the deadline has passed");
  }
  absl::StatusOr<SnapshotPtr> snapshot = SnapshotFor(call, state.membership);
  if (!snapshot.ok()) return snapshot.status();
  const int node_calls = NodeCallsAtMost(call, state.options, **snapshot);
  const absl::Time now = lane.loop.Now();
  if (!state.admission.TryEnter(node_calls)) {
    auto waiting = std::make_shared<WaitingCall>(
        state, lane, std::move(call), node_calls, delivery, std::move(sink));
    waiting->Start();
    return waiting;
  }
  absl::StatusOr<CallPlan> plan =
      PlanAdmitted(state, call, delivery, *std::move(snapshot), node_calls);
  if (!plan.ok()) return plan.status();
  state.observer.OnCallStarted();
  auto running = std::make_shared<RunningCall>(state, lane, std::move(call),
                                               *std::move(plan), delivery,
                                               std::move(sink), now);
  lane.loop.Post([running] { running->Begin(); });
  return running;
}

FanOutEngine::FanOutEngine(FanOutOptions options, std::vector<Lane> lanes,
                           const Membership& membership, TokenSource* tokens,
                           SuspicionSink& suspicions,
                           KnowledgeSource& knowledge, FanOutObserver& observer,
                           const AnswerFormat& format)
    : shared_(new Shared{{std::move(options), static_cast<int>(lanes.size()),
                          membership, tokens, suspicions, knowledge, observer,
                          format}}) {
  for (const Lane& lane : lanes) {
    shared_->lanes.push_back(
        std::make_unique<EngineLane>(*lane.loop, *lane.transport));
  }
}

FanOutEngine::~FanOutEngine() = default;

std::shared_ptr<FanOutEngine::CallHandle> FanOutEngine::Start(
    FanOutCall call, Delivery delivery, std::shared_ptr<FanOutSink> sink) {
  EngineLane& lane = shared_->NextLane();
  absl::StatusOr<std::shared_ptr<CallHandle>> handle =
      shared_->Admit(call, delivery, sink, lane);
  if (handle.ok()) return *std::move(handle);
  CountRefusal(handle.status());
  lane.loop.Post([sink = std::move(sink), status = handle.status()] {
    sink->OnRefused(status);
  });
  return std::make_shared<RefusedCall>();
}

absl::Status FanOutEngine::CheckOpen() {
  absl::Status status = shared_->CheckOpen();
  if (!status.ok()) CountRefusal(status);
  return status;
}

void FanOutEngine::CountRefusal(const absl::Status& status) {
  shared_->state.observer.OnCallRefused(status);
}

void FanOutEngine::Drain() { shared_->draining = true; }

void FanOutEngine::Stop() {
  Drain();
  // What one lane gives up makes no room for a call that waits on another.
  shared_->state.admission.Close();
  for (const auto& lane : shared_->lanes) {
    lane->loop.Post([shared = shared_, &lane = *lane] { lane.Stop(); });
  }
}

int FanOutEngine::calls_in_flight() const {
  return shared_->state.admission.calls();
}

int FanOutEngine::calls_waiting() const {
  return shared_->state.admission.waiting();
}

int FanOutEngine::node_calls_allowed() const {
  return shared_->state.admission.capacity();
}

}  // namespace coord
