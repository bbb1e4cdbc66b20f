// Debian's abseil is not instrumented, so ThreadSanitizer sees none of what its
// mutexes order and reports a race wherever one is used. These definitions
// stand before the library's: they call it and tell ThreadSanitizer what it has
// ordered. Linked into every test of a `thread` build.
#include <dlfcn.h>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

extern "C" {
void __tsan_acquire(void* address);  // NOLINT(bugprone-reserved-identifier)
void __tsan_release(void* address);  // NOLINT(bugprone-reserved-identifier)
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
}

namespace {

// Whoever unlocks evaluates the conditions of those who wait, after its release
// and still under the lock.
class IgnoreReads {
 public:
  IgnoreReads() { AnnotateIgnoreReadsBegin(__FILE__, __LINE__); }
  ~IgnoreReads() { AnnotateIgnoreReadsEnd(__FILE__, __LINE__); }
};

// Calls the library's function of that mangled name.
template <typename Result, typename... Args>
Result Real(const char* name, Args... args) {
  using Function = Result (*)(Args...);
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name))(args...);
}

void Acquire(const void* address) {
  __tsan_acquire(const_cast<void*>(address));
}
void Release(const void* address) {
  __tsan_release(const_cast<void*>(address));
}

// A call that returns with the mutex held.
template <typename Result, typename... Args>
Result Locking(absl::Mutex* mutex, const char* name, Args... args) {
  struct AtTheEnd {
    absl::Mutex* mutex;
    ~AtTheEnd() { Acquire(mutex); }
  } at_the_end{mutex};
  IgnoreReads ignore;
  return Real<Result>(name, args...);
}

// A call that gives the mutex back for a while.
template <typename Result, typename... Args>
Result Waiting(absl::Mutex* mutex, const char* name, Args... args) {
  Release(mutex);
  return Locking<Result>(mutex, name, args...);
}

}  // namespace

namespace absl {
ABSL_NAMESPACE_BEGIN

void Mutex::Lock() {
  Real<void>("_ZN4absl7debian35Mutex4LockEv", this);
  Acquire(this);
}

void Mutex::Unlock() {
  Release(this);
  IgnoreReads ignore;
  Real<void>("_ZN4absl7debian35Mutex6UnlockEv", this);
}

bool Mutex::TryLock() {
  const bool locked = Real<bool>("_ZN4absl7debian35Mutex7TryLockEv", this);
  if (locked) Acquire(this);
  return locked;
}

void Mutex::ReaderLock() {
  Real<void>("_ZN4absl7debian35Mutex10ReaderLockEv", this);
  Acquire(this);
}

void Mutex::ReaderUnlock() {
  Release(this);
  IgnoreReads ignore;
  Real<void>("_ZN4absl7debian35Mutex12ReaderUnlockEv", this);
}

void Mutex::LockWhen(const Condition& condition) {
  Locking<void>(this, "_ZN4absl7debian35Mutex8LockWhenERKNS0_9ConditionE", this,
                &condition);
}

void Mutex::Await(const Condition& condition) {
  Waiting<void>(this, "_ZN4absl7debian35Mutex5AwaitERKNS0_9ConditionE", this,
                &condition);
}

bool Mutex::AwaitWithTimeout(const Condition& condition, Duration timeout) {
  return Waiting<bool>(
      this,
      "_ZN4absl7debian35Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_"
      "8DurationE",
      this, &condition, timeout);
}

bool Mutex::AwaitWithDeadline(const Condition& condition, Time deadline) {
  return Waiting<bool>(
      this,
      "_ZN4absl7debian35Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_"
      "4TimeE",
      this, &condition, deadline);
}

bool Mutex::LockWhenWithTimeout(const Condition& condition, Duration timeout) {
  return Locking<bool>(
      this,
      "_ZN4absl7debian35Mutex19LockWhenWithTimeoutERKNS0_9ConditionENS0_"
      "8DurationE",
      this, &condition, timeout);
}

void CondVar::Wait(Mutex* mutex) {
  Waiting<void>(mutex, "_ZN4absl7debian37CondVar4WaitEPNS0_5MutexE", this,
                mutex);
}

bool CondVar::WaitWithTimeout(Mutex* mutex, Duration timeout) {
  return Waiting<bool>(
      mutex,
      "_ZN4absl7debian37CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE",
      this, mutex, timeout);
}

bool CondVar::WaitWithDeadline(Mutex* mutex, Time deadline) {
  return Waiting<bool>(
      mutex,
      "_ZN4absl7debian37CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE", this,
      mutex, deadline);
}

void Notification::Notify() {
  Release(this);
  Real<void>("_ZN4absl7debian312Notification6NotifyEv", this);
}

void Notification::WaitForNotification() const {
  Real<void>("_ZNK4absl7debian312Notification19WaitForNotificationEv", this);
  Acquire(this);
}

bool Notification::WaitForNotificationWithTimeout(Duration timeout) const {
  const bool notified = Real<bool>(
      "_ZNK4absl7debian312Notification30WaitForNotificationWithTimeoutENS0_"
      "8DurationE",
      this, timeout);
  if (notified) Acquire(this);
  return notified;
}

bool BlockingCounter::DecrementCount() {
  Release(this);
  return Real<bool>("_ZN4absl7debian315BlockingCounter14DecrementCountEv",
                    this);
}

void BlockingCounter::Wait() {
  Real<void>("_ZN4absl7debian315BlockingCounter4WaitEv", this);
  Acquire(this);
}

ABSL_NAMESPACE_END
}  // namespace absl
