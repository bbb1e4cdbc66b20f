#include "tests/unit/registry/watched_vfs.h"

#include <memory>
#include <utility>

namespace coord {

WatchedVfs* WatchedVfs::instance_ = nullptr;

WatchedVfs::WatchedVfs(std::string durable_dir)
    : durable_dir_(std::move(durable_dir)),
      real_(sqlite3_vfs_find(nullptr)),
      vfs_(*real_) {
  std::filesystem::create_directories(durable_dir_);
  instance_ = this;
  vfs_.zName = "watched";
  vfs_.pNext = nullptr;
  vfs_.xOpen = &Open;
  sqlite3_vfs_register(&vfs_, 1);
}

WatchedVfs::~WatchedVfs() {
  sqlite3_vfs_unregister(&vfs_);
  sqlite3_vfs_register(real_, 1);
  instance_ = nullptr;
}

int WatchedVfs::Open(sqlite3_vfs* /*vfs*/, const char* name, sqlite3_file* file,
                     int flags, int* out_flags) {
  const int code =
      instance_->real_->xOpen(instance_->real_, name, file, flags, out_flags);
  if (code != SQLITE_OK || name == nullptr) return code;
  absl::MutexLock lock(&instance_->mutex_);
  const sqlite3_io_methods* real = file->pMethods;
  auto& ours = instance_->methods_[real];
  if (!ours) {
    ours = std::make_unique<sqlite3_io_methods>(*real);
    ours->xSync = &Sync;
  }
  instance_->files_[file] = {name, real};
  file->pMethods = ours.get();
  return SQLITE_OK;
}

int WatchedVfs::Sync(sqlite3_file* file, int flags) {
  File watched;
  {
    absl::MutexLock lock(&instance_->mutex_);
    watched = instance_->files_.at(file);
  }
  if (instance_->fail_syncs) return SQLITE_IOERR_FSYNC;
  const int code = watched.real_methods->xSync(file, flags);
  if (code != SQLITE_OK) return code;
  ++instance_->syncs;
  std::filesystem::copy_file(
      watched.path,
      std::filesystem::path(instance_->durable_dir_) / watched.path.filename(),
      std::filesystem::copy_options::overwrite_existing);
  return SQLITE_OK;
}

}  // namespace coord
