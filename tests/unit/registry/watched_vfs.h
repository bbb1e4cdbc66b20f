// SQLite's way to the disk, watched: what would be left after a power failure,
// and what happens when a sync fails.
#ifndef TESTS_UNIT_REGISTRY_WATCHED_VFS_H_
#define TESTS_UNIT_REGISTRY_WATCHED_VFS_H_

#include <sqlite3.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"

namespace coord {

// The default VFS while it lives; one at a time. Files are opened by SQLite's
// own VFS, only their xSync is ours.
class WatchedVfs {
 public:
  // What is synced is copied to `durable_dir` under its name.
  explicit WatchedVfs(std::string durable_dir);
  ~WatchedVfs();
  WatchedVfs(const WatchedVfs&) = delete;
  WatchedVfs& operator=(const WatchedVfs&) = delete;

  // While set, syncs fail.
  std::atomic<bool> fail_syncs = false;
  std::atomic<int> syncs = 0;

 private:
  static int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file,
                  int flags, int* out_flags);
  static int Sync(sqlite3_file* file, int flags);
  static WatchedVfs* instance_;

  const std::string durable_dir_;
  sqlite3_vfs* const real_;
  sqlite3_vfs vfs_;

  struct File {
    std::filesystem::path path;
    const sqlite3_io_methods* real_methods;
  };
  absl::Mutex mutex_;
  absl::flat_hash_map<sqlite3_file*, File> files_ ABSL_GUARDED_BY(mutex_);
  // One set of methods for each that the real VFS uses.
  absl::flat_hash_map<const sqlite3_io_methods*,
                      std::unique_ptr<sqlite3_io_methods>>
      methods_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace coord

#endif  // TESTS_UNIT_REGISTRY_WATCHED_VFS_H_
