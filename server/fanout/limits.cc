#include "server/fanout/limits.h"

#include <algorithm>

namespace coord {

bool Permits::TryTake(int n) {
  int taken = taken_.load(std::memory_order_relaxed);
  do {
    if (n > limit_ - taken) return false;
  } while (!taken_.compare_exchange_weak(taken, taken + n,
                                         std::memory_order_relaxed));
  return true;
}

RetryBudget::RetryBudget(double per_first_attempt, double reserve)
    : per_first_attempt_(
          static_cast<std::int64_t>(per_first_attempt * kOneRetry)),
      reserve_(static_cast<std::int64_t>(reserve * kOneRetry)),
      balance_(reserve_) {}

void RetryBudget::Earn(int first_attempts) {
  std::int64_t balance = balance_.load(std::memory_order_relaxed);
  std::int64_t richer;
  do {
    if (balance >= reserve_) return;
    richer = std::min(reserve_, balance + first_attempts * per_first_attempt_);
  } while (!balance_.compare_exchange_weak(balance, richer,
                                           std::memory_order_relaxed));
}

bool RetryBudget::Spend() {
  std::int64_t balance = balance_.load(std::memory_order_relaxed);
  do {
    if (balance < kOneRetry) return false;
  } while (!balance_.compare_exchange_weak(balance, balance - kOneRetry,
                                           std::memory_order_relaxed));
  return true;
}

}  // namespace coord
