// Which calls may begin. Those that meet a limit wait for a moment, in the
// order in which they came.
#ifndef SERVER_FANOUT_ADMISSION_H_
#define SERVER_FANOUT_ADMISSION_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace coord {

struct AdmissionLimits {
  int calls = 0;       // in flight
  int node_calls = 0;  // in flight, over all calls
  int waiting = 0;     // calls; 0: nobody waits
};

// Hands out permits: one for a call, and one for each request that it may have
// in flight. Thread-safe. A call that waits is overtaken by nobody, whatever
// its size, so that it must be given up by whoever let it wait after a bounded
// time: until then a large one holds up those behind it.
class Admission {
 public:
  enum class Ticket : std::uint64_t {};
  using Admitted = absl::AnyInvocable<void() &&>;

  explicit Admission(AdmissionLimits limits);

  // Takes the permits of a call if nobody waits and there is room.
  // `node_calls` must be within the limit.
  bool TryEnter(int node_calls);

  // Takes one more node call for a call that runs, if nobody waits for it.
  bool TryEnterNodeCall();

  // Lets a call wait; nullopt when too many do. `admitted` is called once the
  // permits are its own, by whoever made room for it, which may be this very
  // function; it must be quick.
  std::optional<Ticket> Wait(int node_calls, Admitted admitted);
  // Gives up a call that waits. False: it does not, `admitted` was called or is
  // about to be.
  bool Leave(Ticket ticket);

  // Nobody who waits is admitted any more; whoever let them wait tells them.
  void Close();

  void GiveCall() { Give(kOneCall); }
  void GiveNodeCalls(int n) { Give(static_cast<std::uint64_t>(n)); }

  // What is let in at present, at the most what the limits say, as at first: a
  // call begins while fewer node calls than the capacity are in flight, however
  // many it adds.
  void SetCapacity(int node_calls);
  void SetMayWait(int calls);
  int capacity() const { return capacity_.load(std::memory_order_relaxed); }
  bool HasFullCapacity() const { return capacity() == limits_.node_calls; }
  // Whether any of both is less than its limit.
  bool IsLowered() const;

  // Whether a call could now neither enter nor wait.
  bool Full() const;
  // RESOURCE_EXHAUSTED · TOO_MANY_CALLS or TOO_MANY_NODE_CALLS, whichever limit
  // is in the way, to a call that `waited`, with the time to come again. Costs
  // next to nothing for one that did not wait.
  absl::Status Refusal(absl::Duration waited) const;

  int calls() const;
  int node_calls() const;
  int waiting() const { return waiting_.load(std::memory_order_relaxed); }

 private:
  // Both counts in one word, so that a call takes all that it needs or nothing:
  // calls in the upper half, node calls in the lower one.
  static constexpr std::uint64_t kOneCall = std::uint64_t{1} << 32;

  struct Waiter {
    int node_calls;
    Admitted admitted;
  };

  enum class Limit { kCalls, kNodeCalls, kCapacity };

  Limit InTheWay() const;
  bool TryTake(std::uint64_t calls, int node_calls);
  void Give(std::uint64_t permits);
  void AdmitWaiting();

  const AdmissionLimits limits_;
  // Of calls that did not wait, by Limit.
  const std::array<absl::Status, 3> refusals_;
  std::atomic<int> capacity_;
  std::atomic<int> may_wait_;
  std::atomic<std::uint64_t> taken_ = 0;
  // The size of queue_. It is written before a waiter tries to take and read
  // after a giver has given, in one order for all: one of them sees the other.
  std::atomic<int> waiting_ = 0;

  absl::Mutex mutex_;
  std::map<Ticket, Waiter> queue_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t last_ticket_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace coord

#endif  // SERVER_FANOUT_ADMISSION_H_
