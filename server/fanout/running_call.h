// One call from its first send to its answer. Everything but Cancel happens on
// the loop of one lane; nothing is locked.
#ifndef SERVER_FANOUT_RUNNING_CALL_H_
#define SERVER_FANOUT_RUNNING_CALL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/random/random.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/event_loop.h"
#include "server/core/completion.h"
#include "server/core/token_source.h"
#include "server/fanout/admission.h"
#include "server/fanout/aggregate.h"
#include "server/fanout/answer_ledger.h"
#include "server/fanout/attempt_budget.h"
#include "server/fanout/call.h"
#include "server/fanout/call_plan.h"
#include "server/fanout/engine.h"
#include "server/fanout/latency_book.h"
#include "server/fanout/load_governor.h"
#include "server/fanout/node_call.h"
#include "server/fanout/splice.h"
#include "server/http/transport.h"

namespace coord {

// One that waits or runs. Used on the loop of its lane, but for Cancel.
class LaneCall : public FanOutEngine::CallHandle {
 public:
  // The process ends, and with it the call.
  virtual void Stop() = 0;
};

// What the calls of one loop share. Used on that loop only.
struct EngineLane {
  EngineLane(EventLoop& loop, HttpTransport& transport)
      : loop(loop), transport(transport) {}

  // Ends every call, and each new one as it comes.
  void Stop();

  EventLoop& loop;
  HttpTransport& transport;
  NodeBodyReader reader;
  LoadWindow load;
  LatencyBook latencies;  // of servers that were called with a hedge
  absl::BitGen random;
  // Keeps the calls alive until they end: callbacks hold bare pointers.
  absl::flat_hash_set<std::shared_ptr<LaneCall>> calls;
  bool stopped = false;
};

// What all calls share.
struct EngineState {
  const FanOutOptions options;
  const int loops;
  const Membership& membership;
  TokenSource* const tokens;
  SuspicionSink& suspicions;
  KnowledgeSource& knowledge;
  FanOutObserver& observer;
  const AnswerFormat& format;
  Admission admission{
      {options.max_calls, options.max_node_calls, options.max_queued_calls}};
  LoadGovernor governor{admission, loops, options.max_queue_time};
  AttemptBudget hedges{options.hedge_budget_percent / 100.0,
                       options.hedge_budget_reserve};
  AttemptBudget retries{options.retry_budget, options.retry_budget_reserve};
};

class RunningCall final : public LaneCall,
                          public AnswerRoom,
                          public std::enable_shared_from_this<RunningCall> {
 public:
  // Takes over the permits of a call and of plan.concurrency node calls. The
  // call came at `start`, from which on its time is counted.
  RunningCall(EngineState& engine, EngineLane& lane, FanOutCall call,
              CallPlan plan, Delivery delivery,
              std::shared_ptr<FanOutSink> sink, absl::Time start);

  // Sends what may be sent at once. On the loop.
  void Begin();
  void Cancel() override;
  void Stop() override;
  void Taken(std::size_t bytes) override;

  // Of the node with this index.
  bool MayGrow(std::uint64_t key, std::size_t bytes) override;

 private:
  using Index = std::uint32_t;  // of a node
  using Due = std::pair<absl::Time, Index>;
  enum class Ending { kPolicyMet, kDeadline, kCancelled, kStopped };
  enum class Which { kFirst, kHedge };  // of an attempt's requests

  void Launch(absl::Time now);
  bool WantsToken() const;
  void FetchToken();
  void OnToken(absl::StatusOr<std::string> token);
  void RenewToken(Index i);

  void SendReady();
  bool MaySend() const;
  void UseRoom();
  void GoOn(Index i, absl::Time now);
  RequestId Send(Index i, Which which);
  void StartAttempt(Index i, absl::Time now);
  void EndAttempt(Index i);
  GivenUp CancelRequests(Index i);
  void OnOutcome(Index i, Which which, HttpOutcome outcome);
  void OnAnswer(Index i, Which which, HttpResponse response, absl::Time now);
  void OnError(Index i, HttpError error, absl::Time now);
  void OnAttemptTimeout(Index i, absl::Time now);
  bool TryAgain(Index i, absl::Duration at_least, absl::Time now);
  ServerPtr ServerOf(Index i) const;
  void PlanHedge(Index i, absl::Time now);
  void Hedge(Index i);
  void EndHedge(Index i);
  void Settle(Index i, absl::Time now);
  bool LacksName(const NodeCall& node) const;
  void FitIntoMessage(NodeOutcome& outcome) const;
  void GiveBackPermits();

  // Goes on after anything happened: sends, waits or ends. The last thing that
  // an event does, since the call may be gone afterwards.
  void Advance();
  bool Done() const;
  void WaitUntil(absl::Time when, Index i);
  void ArmTimer();
  void OnTimer();

  void End(Ending ending);
  void Abandon(Index i, Ending ending, absl::Time now);
  FanOutSummary Summarize(absl::Time now) const;

  EngineState& engine_;
  EngineLane& lane_;
  FanOutCall call_;
  CallPlan plan_;
  const Delivery delivery_;
  std::shared_ptr<FanOutSink> sink_;
  const absl::Time start_;
  const absl::Time deadline_;

  HttpHeaders headers_;
  SharedTail tail_;
  std::string token_;
  int tokens_ = 0;  // how many were fetched; names the one that is in use
  bool fetching_token_ = false;
  absl::Status token_status_;

  CompletionTracker tracker_;
  Aggregate aggregate_;
  AnswerLedger ledger_;
  std::atomic<std::size_t> taken_ = 0;    // by the reader, and not yet counted
  std::atomic<bool> wants_room_ = false;  // to be told of what it takes
  std::vector<Index> ready_;  // nodes to send to, from next_ready_ on
  std::size_t next_ready_ = 0;
  int in_flight_ = 0;  // attempts
  int unsettled_;      // of those that something is sent to
  int permits_;        // of engine_.admission, for node calls
  int skipped_ = 0;
  // Told of once the answer is out.
  std::vector<Index> suspects_;
  std::vector<Index> nameless_;

  TimerId deadline_timer_ = kNoTimer;
  TimerId timer_ = kNoTimer;  // one for all nodes: the next that is due
  absl::Time timer_due_ = absl::InfiniteFuture();
  std::priority_queue<Due, std::vector<Due>, std::greater<>> dues_;

  bool begun_ = false;
  bool cancelled_ = false;
  std::atomic<bool> ended_ = false;
};

}  // namespace coord

#endif  // SERVER_FANOUT_RUNNING_CALL_H_
