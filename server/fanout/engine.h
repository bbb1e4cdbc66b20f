// The product's heart: one HTTP request to every other server of a cluster,
// every one of them accounted for.
#ifndef SERVER_FANOUT_ENGINE_H_
#define SERVER_FANOUT_ENGINE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/event_loop.h"
#include "server/core/membership.h"
#include "server/core/token_source.h"
#include "server/fanout/answer_format.h"
#include "server/fanout/call.h"
#include "server/http/transport.h"

namespace coord {

struct FanOutOptions {
  absl::Duration request_timeout = absl::Seconds(10);  // for one attempt
  absl::Duration default_time_limit = absl::Seconds(50);
  std::size_t max_node_answer_bytes = 3 << 20;
  std::size_t default_answer_bytes = 3 << 20;  // of an aggregate
  std::size_t max_answer_bytes = 64 << 20;     // what a call may ask for
  int max_calls = 1024;                        // in flight, for the process
  int max_node_calls = 16'384;                 // in flight, for the process
  int max_node_calls_per_call = 1024;          // in flight, for one call
  // Calls that meet a limit wait for this long at the most, and for a quarter
  // of the time that they have left.
  int max_queued_calls = 256;
  absl::Duration max_queue_time = absl::Milliseconds(100);
  // Extra attempts are paid from a budget that each first attempt fills by this
  // fraction; it holds retry_budget_reserve at the most and at the start.
  double retry_budget = 0.2;
  double retry_budget_reserve = 100;
  // The same for hedges, of the first attempts of calls that hedge.
  int hedge_budget_percent = 5;
  double hedge_budget_reserve = 10;
  bool management = true;               // off: every call is refused
  bool forward_authorization = true;    // false where tokens are ours
  std::string user_agent = "clusterd";  // where the caller names none
};

// Hears of servers that a call has left doubts about. Called on an engine loop
// once the caller has its answer; must be quick.
class SuspicionSink {
 public:
  virtual ~SuspicionSink() = default;
  // It looks dead.
  virtual void Suspect(const ClusterIdentity& cluster,
                       const ServerPtr& server) = 0;
  // Its result did not name it, and nobody knows whether it had to: whether it
  // serves the node API is unknown.
  virtual void Nameless(const ServerPtr& server) = 0;
};

// How far what this process knows of a cluster can be trusted.
struct Knowledge {
  absl::Duration age;              // AgeOf
  bool stale = false;              // older than it may be
  bool self_preservation = false;  // this process suspects itself
};

// Judges the membership that a call is about to be made with. Thread-safe; must
// be quick.
class KnowledgeSource {
 public:
  virtual ~KnowledgeSource() = default;
  // May have what is too old brought up to date, which nobody waits for.
  virtual Knowledge Judge(const ClusterSnapshot& cluster) = 0;
};

// Counts for whoever keeps metrics. Thread-safe.
class FanOutObserver {
 public:
  virtual ~FanOutObserver() = default;
  virtual void OnCallStarted() = 0;
  // Before its caller hears of it.
  virtual void OnCallEnded(const FanOutSummary& summary) = 0;
  virtual void OnCallRefused(const absl::Status& status) = 0;
  // It met a limit and waited for `waited`, whatever became of it then.
  virtual void OnCallWaited(absl::Duration waited) = 0;
  virtual void OnNodeOutcome(const NodeOutcome& outcome) = 0;
  virtual void OnRetry() = 0;     // is to follow, unless the call ends before
  virtual void OnHedge() = 0;     // was sent
  virtual void OnHedgeWon() = 0;  // gave the result
};

// Where one call's outcomes go. All are called on an engine loop, in order; the
// sink must live until one of OnDone and OnRefused was called.
class FanOutSink {
 public:
  virtual ~FanOutSink() = default;
  // Only for streamed calls: in order of arrival, each expected server once.
  // How many bytes wait for the caller by that, until Taken tells of them.
  virtual std::size_t OnOutcome(NodeOutcome outcome) = 0;
  // The end. Streamed: without outcomes and data, which were delivered.
  virtual void OnDone(FanOutAnswer answer) = 0;
  // Refused, nothing was sent. Errors: see FanOutService.
  virtual void OnRefused(absl::Status status) = 0;
};

enum class Delivery { kAtOnce, kStreamed };

class FanOutEngine {
 public:
  // An event loop and the transport that lives on it.
  struct Lane {
    EventLoop* loop;
    HttpTransport* transport;
  };

  // `tokens` may be nullptr: no token is sent. All must outlive the engine.
  FanOutEngine(FanOutOptions options, std::vector<Lane> lanes,
               const Membership& membership, TokenSource* tokens,
               SuspicionSink& suspicions, KnowledgeSource& knowledge,
               FanOutObserver& observer, const AnswerFormat& format);
  // After the loops stopped.
  ~FanOutEngine();

  class CallHandle;

  // What every call would be refused with now, whatever it asks for: DRAINING,
  // MANAGEMENT_OFF, TOO_MANY_CALLS, TOO_MANY_NODE_CALLS. Costs next to nothing,
  // so that whoever has work to do before Start can ask first. Thread-safe.
  absl::Status CheckOpen();

  // Counts a call that was refused before Start, with whatever reason.
  // Thread-safe.
  void CountRefusal(const absl::Status& status);

  // Starts a call, at once or when there is room for it; one that can't be
  // started in time is refused. Thread-safe. `sink` is never called inside.
  std::shared_ptr<CallHandle> Start(FanOutCall call, Delivery delivery,
                                    std::shared_ptr<FanOutSink> sink);

  // From now on calls are refused with DRAINING. Thread-safe.
  void Drain();
  // Ends every call: one that runs with OnDone and what is known, where who has
  // not answered is CANCELLED; one that waits for its turn is refused with
  // DRAINING. Drains. Thread-safe.
  void Stop();
  int calls_in_flight() const;
  int calls_waiting() const;
  // How many node calls are let in at one time at present; see LoadGovernor.
  int node_calls_allowed() const;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

// Lets the caller of a fan-out give it up.
class FanOutEngine::CallHandle {
 public:
  virtual ~CallHandle() = default;
  // Cancels what is in flight at the nodes; the call ends with OnDone, what had
  // not arrived is CANCELLED. One that still waits for its turn is refused with
  // CANCELLED. Thread-safe; after the end it does nothing.
  virtual void Cancel() = 0;
  // The caller of a stream has taken so many bytes of what OnOutcome counted:
  // others may follow. Only after such an OnOutcome; thread-safe.
  virtual void Taken(std::size_t bytes) = 0;
};

}  // namespace coord

#endif  // SERVER_FANOUT_ENGINE_H_
