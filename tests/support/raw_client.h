// A TCP client that a test drives byte by byte; it blocks.
#ifndef TESTS_SUPPORT_RAW_CLIENT_H_
#define TESTS_SUPPORT_RAW_CLIENT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace coord {

class RawClient {
 public:
  // Connects to 127.0.0.1; the test ends if it can't.
  explicit RawClient(std::uint16_t port);
  ~RawClient();
  RawClient(RawClient&& other) noexcept;
  RawClient& operator=(RawClient&&) = delete;

  // False when the other side has closed.
  bool Write(std::string_view bytes);
  // All up to the end of the connection.
  std::string ReadAll();
  // Up to and with `end`, or less at the end of the connection.
  std::string ReadUntil(std::string_view end);
  // Whether a read would not block.
  bool Readable() const;
  // Blocks until the other side has closed or reset, without reading.
  void WaitForHangUp();
  // Once hung up: whether by a reset.
  bool WasReset() const;
  // Ends the sending direction.
  void CloseWrite();
  void Close();

 private:
  bool ReadMore();

  int socket_ = -1;
  std::string unread_;
};

}  // namespace coord

#endif  // TESTS_SUPPORT_RAW_CLIENT_H_
