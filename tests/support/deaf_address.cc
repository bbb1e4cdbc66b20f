#include "tests/support/deaf_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <tuple>

namespace coord {
namespace {

// A handshake on this machine that has not ended by then never will.
constexpr int kQueueIsFullMs = 100;

}  // namespace

DeafAddress::DeafAddress(const std::string& host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockets_.push_back(listener);
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1 ||
      bind(listener, generic, sizeof address) != 0 ||
      listen(listener, 0) != 0) {
    std::abort();
  }
  for (;;) {
    const int client =
        socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockets_.push_back(client);
    std::ignore = connect(client, generic, sizeof address);
    pollfd connected{client, POLLOUT, 0};
    if (poll(&connected, 1, kQueueIsFullMs) == 0) return;
  }
}

DeafAddress::~DeafAddress() {
  for (const int socket : sockets_) close(socket);
}

}  // namespace coord
