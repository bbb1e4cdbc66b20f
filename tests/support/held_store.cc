#include "tests/support/held_store.h"

#include <sqlite3.h>

namespace coord {
namespace {

// SQLite calls back what is given to it as a function without arguments.
using Extension = void (*)();

}  // namespace

HeldStore* HeldStore::instance_ = nullptr;

HeldStore::HeldStore() {
  instance_ = this;
  sqlite3_auto_extension(reinterpret_cast<Extension>(&OnOpen));
}

HeldStore::~HeldStore() {
  sqlite3_cancel_auto_extension(reinterpret_cast<Extension>(&OnOpen));
  instance_ = nullptr;
}

int HeldStore::OnOpen(sqlite3* db, char** /*error*/, const void* /*api*/) {
  sqlite3_commit_hook(db, &OnCommit, instance_);
  return SQLITE_OK;
}

int HeldStore::OnCommit(void* store) {
  auto& self = *static_cast<HeldStore*>(store);
  auto released = [&self]() ABSL_SHARED_LOCKS_REQUIRED(self.mutex_) {
    return !self.held_;
  };
  absl::MutexLock lock(&self.mutex_);
  self.waiting_ = self.held_;
  self.mutex_.Await(absl::Condition(&released));
  self.waiting_ = false;
  return 0;
}

void HeldStore::SetHeld(bool held) {
  absl::MutexLock lock(&mutex_);
  held_ = held;
}

void HeldStore::WaitForCommit() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&waiting_));
}

}  // namespace coord
