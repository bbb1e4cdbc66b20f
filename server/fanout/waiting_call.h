// One call that met a limit, until there is room for it. Everything but Start
// and Cancel happens on the loop of its lane; nothing is locked.
#ifndef SERVER_FANOUT_WAITING_CALL_H_
#define SERVER_FANOUT_WAITING_CALL_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/event_loop.h"
#include "server/core/membership.h"
#include "server/fanout/admission.h"
#include "server/fanout/call.h"
#include "server/fanout/call_plan.h"
#include "server/fanout/engine.h"
#include "server/fanout/running_call.h"

namespace coord {

// What calls are refused with while the process ends.
absl::Status Draining();

// The plan of a call that was admitted with `node_calls`. What it does not need
// of its permits is given back, with an error all of them. Errors: PlanCall's
// and ReserveRoom's.
absl::StatusOr<CallPlan> PlanAdmitted(EngineState& engine,
                                      const FanOutCall& call, Delivery delivery,
                                      SnapshotPtr snapshot, int node_calls);

class WaitingCall final : public LaneCall,
                          public std::enable_shared_from_this<WaitingCall> {
 public:
  WaitingCall(EngineState& engine, EngineLane& lane, FanOutCall call,
              int node_calls, Delivery delivery,
              std::shared_ptr<FanOutSink> sink);

  // Queues up; once. The sink hears of a refusal, at once when too many wait,
  // or of what the call comes to, as if it had begun without a wait.
  void Start();
  void Cancel() override;
  void Stop() override;
  // What tells of it has run.
  void Taken(std::size_t bytes) override { running_->Taken(bytes); }

 private:
  void StartClock(Admission::Ticket ticket);
  void OnTimeout();
  void OnCancel();
  void OnAdmitted();
  absl::Status Run();
  void Refuse(absl::Status status);

  EngineState& engine_;
  EngineLane& lane_;
  FanOutCall call_;
  const int node_calls_;
  const Delivery delivery_;
  std::shared_ptr<FanOutSink> sink_;  // nullptr: it waits no more
  const absl::Time start_;

  Admission::Ticket ticket_{};
  TimerId timer_ = kNoTimer;
  bool cancelled_ = false;
  std::shared_ptr<RunningCall> running_;  // what it became
};

}  // namespace coord

#endif  // SERVER_FANOUT_WAITING_CALL_H_
