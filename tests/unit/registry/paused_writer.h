// Holds a database's writer, so that what is submitted meanwhile shares one
// transaction.
#ifndef TESTS_UNIT_REGISTRY_PAUSED_WRITER_H_
#define TESTS_UNIT_REGISTRY_PAUSED_WRITER_H_

#include "absl/status/status.h"
#include "absl/synchronization/notification.h"
#include "server/registry/database.h"

namespace coord {

class PausedWriter {
 public:
  explicit PausedWriter(Database& database) {
    database.Submit(
        [this](sqlite3*) {
          paused_.Notify();
          resume_.WaitForNotification();
          return absl::OkStatus();
        },
        [this](absl::Status) { done_.Notify(); });
    paused_.WaitForNotification();
  }
  ~PausedWriter() { Resume(); }
  PausedWriter(const PausedWriter&) = delete;
  PausedWriter& operator=(const PausedWriter&) = delete;

  void Resume() {
    if (resume_.HasBeenNotified()) return;
    resume_.Notify();
    done_.WaitForNotification();
  }

 private:
  absl::Notification paused_;
  absl::Notification resume_;
  absl::Notification done_;
};

}  // namespace coord

#endif  // TESTS_UNIT_REGISTRY_PAUSED_WRITER_H_
