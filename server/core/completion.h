// When a fan-out is done, and what its answer is worth. Pure.
#ifndef SERVER_CORE_COMPLETION_H_
#define SERVER_CORE_COMPLETION_H_

#include "absl/status/status.h"

namespace coord {

struct CompletionPolicy {
  enum class Kind { kBestEffort, kAll, kMajority, kAtLeast, kFirst };
  Kind kind = Kind::kBestEffort;
  int n = 0;  // of kAtLeast and kFirst
};

enum class Verdict { kComplete, kPartial, kNone };

// Counts outcomes of one fan-out against its policy. `callable` is the number
// of expected servers that are not draining.
class CompletionTracker {
 public:
  CompletionTracker(CompletionPolicy policy, int callable);

  // Whether the policy can be met at all. Errors: FAILED_PRECONDITION ·
  // POLICY_IMPOSSIBLE (the message names both numbers).
  absl::Status CheckPossible() const;

  void AddResult() { ++results_; }
  void AddFailure() { ++failures_; }

  // Nothing more is to be waited for.
  bool Done() const;
  // With the outcomes so far.
  bool PolicyMet() const;

  int results() const { return results_; }
  int failures() const { return failures_; }

 private:
  int Needed() const;

  CompletionPolicy policy_;
  int callable_;
  int results_ = 0;
  int failures_ = 0;
};

// `expected` includes skipped servers; none expected is COMPLETE.
Verdict VerdictOf(int results, int expected);

}  // namespace coord

#endif  // SERVER_CORE_COMPLETION_H_
