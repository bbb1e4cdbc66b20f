#include "server/registry/file_descriptor.h"

#include <unistd.h>

namespace coord {

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace coord
