/* LD_PRELOAD: while the file that FAILING_FSYNC names exists, the disk doesn't take
   what was written. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int sync_by(const char* name, int fd) {
  const char* order = getenv("FAILING_FSYNC");
  if (order != NULL && access(order, F_OK) == 0) {
    errno = EIO;
    return -1;
  }
  return ((int (*)(int))dlsym(RTLD_NEXT, name))(fd);
}

int fsync(int fd) { return sync_by("fsync", fd); }
int fdatasync(int fd) { return sync_by("fdatasync", fd); }
