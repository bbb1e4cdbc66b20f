// Bounds on what all calls of a process may have in flight, and on what their
// retries may add to it. Both thread-safe.
#ifndef SERVER_FANOUT_LIMITS_H_
#define SERVER_FANOUT_LIMITS_H_

#include <atomic>
#include <cstdint>

namespace coord {

class Permits {
 public:
  explicit Permits(int limit) : limit_(limit) {}

  // All of `n` or nothing.
  bool TryTake(int n);
  void Give(int n) { taken_.fetch_sub(n, std::memory_order_relaxed); }
  int taken() const { return taken_.load(std::memory_order_relaxed); }

 private:
  const int limit_;
  std::atomic<int> taken_ = 0;
};

// Pays for attempts beyond the first: every first attempt earns a fraction of
// one, so that retries multiply the load of a failing cluster by little.
class RetryBudget {
 public:
  // Holds `reserve` retries at the most and at the start.
  RetryBudget(double per_first_attempt, double reserve);

  void Earn(int first_attempts);
  // One retry; false when it can't be paid.
  bool Spend();

 private:
  static constexpr std::int64_t kOneRetry = 1'000'000;

  const std::int64_t per_first_attempt_;
  const std::int64_t reserve_;
  std::atomic<std::int64_t> balance_;
};

}  // namespace coord

#endif  // SERVER_FANOUT_LIMITS_H_
