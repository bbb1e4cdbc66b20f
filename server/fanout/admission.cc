#include "server/fanout/admission.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"

namespace coord {
namespace {

// When a caller that was refused may come again.
constexpr absl::Duration kRetryAfter = absl::Milliseconds(100);

}  // namespace

int Admission::calls() const {
  return static_cast<int>(taken_.load(std::memory_order_relaxed) >> 32);
}

int Admission::node_calls() const {
  return static_cast<int>(taken_.load(std::memory_order_relaxed) &
                          (kOneCall - 1));
}

bool Admission::TryTake(std::uint64_t calls, int node_calls) {
  const auto more = static_cast<std::uint64_t>(node_calls);
  const auto most = static_cast<std::uint64_t>(limits_.node_calls);
  const auto most_calls = static_cast<std::uint64_t>(limits_.calls);
  std::uint64_t taken = taken_.load();
  do {
    if ((taken >> 32) + calls > most_calls) return false;
    if ((taken & (kOneCall - 1)) + more > most) return false;
  } while (
      !taken_.compare_exchange_weak(taken, taken + calls * kOneCall + more));
  return true;
}

bool Admission::TryEnter(int node_calls) {
  return waiting() == 0 && TryTake(1, node_calls);
}

bool Admission::TryEnterNodeCall() { return waiting() == 0 && TryTake(0, 1); }

std::optional<Admission::Ticket> Admission::Wait(int node_calls,
                                                 Admitted admitted) {
  Ticket ticket;
  {
    absl::MutexLock lock(&mutex_);
    if (queue_.size() >= static_cast<std::size_t>(limits_.waiting)) {
      return std::nullopt;
    }
    ticket = Ticket{++last_ticket_};
    queue_.emplace(ticket, Waiter{node_calls, std::move(admitted)});
    waiting_.store(static_cast<int>(queue_.size()));
  }
  AdmitWaiting();
  return ticket;
}

bool Admission::Leave(Ticket ticket) {
  Admitted doomed;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = queue_.find(ticket);
    if (found == queue_.end()) return false;
    doomed = std::move(found->second.admitted);
    queue_.erase(found);
    waiting_.store(static_cast<int>(queue_.size()));
  }
  AdmitWaiting();  // it may have held up smaller ones
  return true;
}

void Admission::Give(std::uint64_t permits) {
  taken_.fetch_sub(permits);
  if (waiting_.load() > 0) AdmitWaiting();
}

void Admission::AdmitWaiting() {
  for (;;) {
    Admitted admitted;
    {
      absl::MutexLock lock(&mutex_);
      if (queue_.empty()) return;
      const auto first = queue_.begin();
      if (!TryTake(1, first->second.node_calls)) return;
      admitted = std::move(first->second.admitted);
      queue_.erase(first);
      waiting_.store(static_cast<int>(queue_.size()));
    }
    std::move(admitted)();
  }
}

bool Admission::Full() const {
  const int waits = waiting();
  if (waits < limits_.waiting) return false;
  return waits > 0 || calls() >= limits_.calls ||
         node_calls() >= limits_.node_calls;
}

absl::Status Admission::Refusal(absl::Duration waited) const {
  const bool by_calls = calls() >= limits_.calls;
  const int limit = by_calls ? limits_.calls : limits_.node_calls;
  std::string message =
      absl::StrCat("call cluster: ", by_calls ? "calls" : "node calls",
                   " in flight are at their limit of ", limit);
  if (waited > absl::ZeroDuration()) {
    absl::StrAppend(
        &message, ", and were for ",
        absl::FormatDuration(absl::Trunc(waited, absl::Milliseconds(1))));
  }
  return WithRetryAfter(
      MakeError(by_calls ? Reason::kTooManyCalls : Reason::kTooManyNodeCalls,
                message, {{"limit", absl::StrCat(limit)}}),
      kRetryAfter);
}

}  // namespace coord
