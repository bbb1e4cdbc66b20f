#include "server/core/completion.h"

#include "absl/strings/str_cat.h"
#include "common/error.h"

namespace coord {

CompletionTracker::CompletionTracker(CompletionPolicy policy, int callable)
    : policy_(policy), callable_(callable) {}

int CompletionTracker::Needed() const {
  switch (policy_.kind) {
    case CompletionPolicy::Kind::kBestEffort:
      return 0;
    case CompletionPolicy::Kind::kAll:
      return callable_;
    case CompletionPolicy::Kind::kMajority:
      return callable_ == 0 ? 0 : callable_ / 2 + 1;
    case CompletionPolicy::Kind::kAtLeast:
    case CompletionPolicy::Kind::kFirst:
      return policy_.n;
  }
  return 0;
}

absl::Status CompletionTracker::CheckPossible() const {
  if (Needed() <= callable_) return absl::OkStatus();
  return MakeError(
      Reason::kPolicyImpossible,
      absl::StrCat("call cluster: the policy needs ", Needed(),
                   " results, but only ", callable_, " servers can be called"),
      {{"needed", absl::StrCat(Needed())},
       {"callable", absl::StrCat(callable_)}});
}

bool CompletionTracker::Done() const {
  if (results_ + failures_ >= callable_) return true;
  return policy_.kind == CompletionPolicy::Kind::kFirst && PolicyMet();
}

bool CompletionTracker::PolicyMet() const { return results_ >= Needed(); }

Verdict VerdictOf(int results, int expected) {
  if (results >= expected) return Verdict::kComplete;
  return results == 0 ? Verdict::kNone : Verdict::kPartial;
}

}  // namespace coord
