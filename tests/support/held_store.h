// A disk that takes no more: commits of a store wait for as long as the test
// wants.
#ifndef TESTS_SUPPORT_HELD_STORE_H_
#define TESTS_SUPPORT_HELD_STORE_H_

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

struct sqlite3;

namespace coord {

// Every database that is opened while it lives is in its hand; one at a time.
class HeldStore {
 public:
  HeldStore();
  ~HeldStore();
  HeldStore(const HeldStore&) = delete;
  HeldStore& operator=(const HeldStore&) = delete;

  // While it lives no commit ends.
  class Hold {
   public:
    explicit Hold(HeldStore& store) : store_(store) { store_.SetHeld(true); }
    ~Hold() { store_.SetHeld(false); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    // Blocks until a commit waits.
    void WaitForCommit() { store_.WaitForCommit(); }

   private:
    HeldStore& store_;
  };

 private:
  static int OnOpen(sqlite3* db, char** error, const void* api);
  static int OnCommit(void* store);
  void SetHeld(bool held);
  void WaitForCommit();

  static HeldStore* instance_;
  absl::Mutex mutex_;
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
  bool waiting_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace coord

#endif  // TESTS_SUPPORT_HELD_STORE_H_
