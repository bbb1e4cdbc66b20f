#include "server/fanout/admission.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/text_view.h"

namespace coord {
namespace {

// When a caller that was refused may come again.
constexpr absl::Duration kRetryAfter = absl::Milliseconds(100);

absl::Status LimitMet(Reason reason, std::string_view what, int limit) {
  return WithRetryAfter(
      MakeError(reason,
                absl::StrCat("call cluster: ", AbslView(what),
                             " in flight are at their limit of ", limit),
                {{"limit", absl::StrCat(limit)}}),
      kRetryAfter);
}

absl::Status AtCapacity() {
  return WithRetryAfter(
      MakeError(Reason::kTooManyNodeCalls,
                "call cluster: node calls in flight are as many as this "
                "process can answer in time"),
      kRetryAfter);
}

}  // namespace

Admission::Admission(AdmissionLimits limits)
    : limits_(limits),
      refusals_{
          LimitMet(Reason::kTooManyCalls, "calls", limits.calls),
          LimitMet(Reason::kTooManyNodeCalls, "node calls", limits.node_calls),
          AtCapacity()},
      capacity_(limits.node_calls),
      may_wait_(limits.waiting) {}

int Admission::calls() const {
  return static_cast<int>(taken_.load(std::memory_order_relaxed) >> 32);
}

int Admission::node_calls() const {
  return static_cast<int>(taken_.load(std::memory_order_relaxed) &
                          (kOneCall - 1));
}

bool Admission::TryTake(std::uint64_t calls, int node_calls) {
  const auto more = static_cast<std::uint64_t>(node_calls);
  const auto capacity = static_cast<std::uint64_t>(capacity_.load());
  const auto most = static_cast<std::uint64_t>(limits_.node_calls);
  const auto most_calls = static_cast<std::uint64_t>(limits_.calls);
  std::uint64_t taken = taken_.load();
  do {
    if ((taken >> 32) + calls > most_calls) return false;
    const std::uint64_t in_flight = taken & (kOneCall - 1);
    if (in_flight + more > most) return false;
    if (capacity < most && in_flight >= capacity) return false;
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
    if (queue_.size() >= static_cast<std::size_t>(may_wait_.load())) {
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

void Admission::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
}

void Admission::AdmitWaiting() {
  for (;;) {
    Admitted admitted;
    {
      absl::MutexLock lock(&mutex_);
      if (closed_ || queue_.empty()) return;
      const auto first = queue_.begin();
      if (!TryTake(1, first->second.node_calls)) return;
      admitted = std::move(first->second.admitted);
      queue_.erase(first);
      waiting_.store(static_cast<int>(queue_.size()));
    }
    std::move(admitted)();
  }
}

void Admission::SetCapacity(int node_calls) {
  capacity_.store(std::clamp(node_calls, 1, limits_.node_calls));
  AdmitWaiting();
}

void Admission::SetMayWait(int calls) {
  may_wait_.store(std::clamp(calls, 0, limits_.waiting));
}

bool Admission::IsLowered() const {
  return !HasFullCapacity() || may_wait_.load() < limits_.waiting;
}

bool Admission::Full() const {
  const int waits = waiting();
  if (waits < may_wait_.load(std::memory_order_relaxed)) return false;
  return waits > 0 || calls() >= limits_.calls || node_calls() >= capacity();
}

Admission::Limit Admission::InTheWay() const {
  if (calls() >= limits_.calls) return Limit::kCalls;
  return !HasFullCapacity() && node_calls() >= capacity() ? Limit::kCapacity
                                                          : Limit::kNodeCalls;
}

absl::Status Admission::Refusal(absl::Duration waited) const {
  const absl::Status& refusal = refusals_[static_cast<std::size_t>(InTheWay())];
  if (waited <= absl::ZeroDuration()) return refusal;
  const std::string text = absl::StrCat(
      refusal.message(), ", and were for ",
      absl::FormatDuration(absl::Trunc(waited, absl::Milliseconds(1))));
  return WithDetail(absl::Status(refusal.code(), text), DetailOf(refusal));
}

}  // namespace coord
