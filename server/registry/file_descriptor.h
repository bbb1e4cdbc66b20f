#ifndef SERVER_REGISTRY_FILE_DESCRIPTOR_H_
#define SERVER_REGISTRY_FILE_DESCRIPTOR_H_

#include <utility>

namespace coord {

// An open file that is closed at the end.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor();

  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

}  // namespace coord

#endif  // SERVER_REGISTRY_FILE_DESCRIPTOR_H_
