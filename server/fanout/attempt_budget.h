// Bounds what attempts beyond the first add to the load of all servers.
#ifndef SERVER_FANOUT_ATTEMPT_BUDGET_H_
#define SERVER_FANOUT_ATTEMPT_BUDGET_H_

#include <atomic>
#include <cstdint>

namespace coord {

// Pays for attempts beyond the first: every first attempt earns a fraction of
// one, so that they multiply the load of a failing cluster by little.
// Thread-safe.
class AttemptBudget {
 public:
  // Holds `reserve` attempts at the most and at the start.
  AttemptBudget(double per_first_attempt, double reserve);

  void Earn(int first_attempts);
  // One attempt; false when it can't be paid.
  bool Spend();

 private:
  static constexpr std::int64_t kOneAttempt = 1'000'000;

  const std::int64_t per_first_attempt_;
  const std::int64_t reserve_;
  std::atomic<std::int64_t> balance_;
};

}  // namespace coord

#endif  // SERVER_FANOUT_ATTEMPT_BUDGET_H_
