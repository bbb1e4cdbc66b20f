#include "server/fanout/attempt_budget.h"

#include <algorithm>

namespace coord {

AttemptBudget::AttemptBudget(double per_first_attempt, double reserve)
    : per_first_attempt_(
          static_cast<std::int64_t>(per_first_attempt * kOneAttempt)),
      reserve_(static_cast<std::int64_t>(reserve * kOneAttempt)),
      balance_(reserve_) {}

void AttemptBudget::Earn(int first_attempts) {
  std::int64_t balance = balance_.load(std::memory_order_relaxed);
  std::int64_t richer;
  do {
    if (balance >= reserve_) return;
    richer = std::min(reserve_, balance + first_attempts * per_first_attempt_);
  } while (!balance_.compare_exchange_weak(balance, richer,
                                           std::memory_order_relaxed));
}

bool AttemptBudget::Spend() {
  std::int64_t balance = balance_.load(std::memory_order_relaxed);
  do {
    if (balance < kOneAttempt) return false;
  } while (!balance_.compare_exchange_weak(balance, balance - kOneAttempt,
                                           std::memory_order_relaxed));
  return true;
}

}  // namespace coord
