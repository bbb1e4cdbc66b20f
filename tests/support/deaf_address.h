// An address that swallows every packet which would begin a connection.
#ifndef TESTS_SUPPORT_DEAF_ADDRESS_H_
#define TESTS_SUPPORT_DEAF_ADDRESS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace coord {

// Listens, accepts nothing, and has its queue full.
class DeafAddress {
 public:
  // `host` is an address of this machine, such as 127.0.0.2.
  DeafAddress(const std::string& host, std::uint16_t port);
  ~DeafAddress();
  DeafAddress(const DeafAddress&) = delete;
  DeafAddress& operator=(const DeafAddress&) = delete;

 private:
  std::vector<int> sockets_;
};

}  // namespace coord

#endif  // TESTS_SUPPORT_DEAF_ADDRESS_H_
