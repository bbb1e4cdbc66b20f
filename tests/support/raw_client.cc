#include "tests/support/raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

namespace coord {

RawClient::RawClient(std::uint16_t port)
    : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) !=
      0) {
    std::abort();
  }
}

RawClient::RawClient(RawClient&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      unread_(std::move(other.unread_)) {}

RawClient::~RawClient() { Close(); }

bool RawClient::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

std::string RawClient::ReadAll() {
  while (ReadMore()) {
  }
  return std::exchange(unread_, {});
}

std::string RawClient::ReadUntil(std::string_view end) {
  std::size_t at = unread_.find(end);
  while (at == std::string::npos) {
    // Only the end of what is known may be the beginning of `end`.
    const std::size_t known =
        unread_.size() - std::min(unread_.size(), end.size());
    if (!ReadMore()) return std::exchange(unread_, {});
    at = unread_.find(end, known);
  }
  std::string text = unread_.substr(0, at + end.size());
  unread_.erase(0, at + end.size());
  return text;
}

bool RawClient::Readable() const {
  pollfd entry{socket_, POLLIN, 0};
  return poll(&entry, 1, 0) == 1;
}

void RawClient::WaitForHangUp() {
  pollfd entry{socket_, POLLRDHUP, 0};
  poll(&entry, 1, -1);
}

bool RawClient::WasReset() const {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size);
  return error == ECONNRESET;
}

void RawClient::CloseWrite() { shutdown(socket_, SHUT_WR); }

void RawClient::Close() {
  if (socket_ >= 0) close(std::exchange(socket_, -1));
}

bool RawClient::ReadMore() {
  char buffer[16 << 10];
  const ssize_t n = recv(socket_, buffer, sizeof buffer, 0);
  if (n <= 0) return false;
  unread_.append(buffer, static_cast<std::size_t>(n));
  return true;
}

}  // namespace coord
