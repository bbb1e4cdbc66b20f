// The nodes that everything here calls: one loopback address each, all on the
// same port, every request answered with the same bytes, which name the node.
// As little work as can be, so that who calls is measured. Prints its port as
// one JSON line, then serves until it is terminated.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"

namespace {

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::exit(1);
}

// A whole response whose body has `body_bytes`, or a few more.
std::string AnswerOf(std::size_t number, std::size_t body_bytes) {
  const std::string before = R"({"data":{"id":1,"name":")";
  const std::string after =
      absl::StrCat(R"("},"server":{"serverId":"node-)", number, R"("}})");
  const std::size_t fixed = before.size() + after.size();
  const std::string body = absl::StrCat(
      before, std::string(body_bytes > fixed ? body_bytes - fixed : 1, 'x'),
      after);
  return absl::StrCat(
      "HTTP/1.1 200 OK\r\nServer: bench\r\n"
      "Date: Tue, 24 Nov 2026 02:18:03 GMT\r\n"
      "Content-Type: application/json\r\nContent-Length: ",
      body.size(), "\r\nConnection: keep-alive\r\n\r\n", body);
}

// A listener, or a connection with one request at a time.
struct Peer {
  int fd;
  bool listens;
  const std::string& answer;
  std::string_view unsent;
};

class Responder {
 public:
  Responder() : epoll_(epoll_create1(0)) {}

  // `port` 0: chooses one. Returns the port.
  std::uint16_t Listen(const std::string& host, std::uint16_t port,
                       std::string answer) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    inet_pton(AF_INET, host.c_str(), &address.sin_addr);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (bind(fd, generic, size) != 0 || listen(fd, 1024) != 0 ||
        getsockname(fd, generic, &size) != 0) {
      Die(host.c_str());
    }
    answers_.push_back(std::move(answer));
    Watch(fd, true, answers_.back(), EPOLLIN);
    return ntohs(address.sin_port);
  }

  [[noreturn]] void Run() {
    for (;;) {
      epoll_event events[64];
      const int n = epoll_wait(epoll_, events, 64, -1);
      for (int i = 0; i < n; ++i) {
        auto* peer = static_cast<Peer*>(events[i].data.ptr);
        if (peer->listens) {
          Accept(*peer);
        } else if (!Serve(*peer, events[i].events)) {
          close(peer->fd);
          delete peer;
        }
      }
    }
  }

 private:
  // Connections are watched edge-triggered for both directions: no system call
  // is needed to wait for room, which only large answers ever do.
  void Watch(int fd, bool listens, const std::string& answer,
             std::uint32_t what) {
    epoll_event event{.events = what,
                      .data = {.ptr = new Peer{fd, listens, answer, {}}}};
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) Die("epoll_ctl");
  }

  void Accept(const Peer& listener) {
    const int fd = accept4(listener.fd, nullptr, nullptr, SOCK_NONBLOCK);
    if (fd < 0) Die("accept");
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    Watch(fd, false, listener.answer, EPOLLIN | EPOLLOUT | EPOLLET);
  }

  // Each read is one request, as small ones are on loopback. False: it is over.
  static bool Serve(Peer& peer, std::uint32_t what) {
    if (peer.unsent.empty()) {
      if ((what & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return true;
      char request[65536];
      const ssize_t size = recv(peer.fd, request, sizeof request, 0);
      if (size <= 0) return size < 0 && errno == EAGAIN;
      peer.unsent = peer.answer;
    }
    while (!peer.unsent.empty()) {
      const ssize_t sent =
          send(peer.fd, peer.unsent.data(), peer.unsent.size(), MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN;
      peer.unsent.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  const int epoll_;
  std::deque<std::string> answers_;  // never moved
};

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> addresses;
  std::size_t body_bytes = 100;
  CLI::App app("HTTP nodes that answer every request at once.");
  app.add_option("--addresses", addresses, "one for each node")->required();
  app.add_option("--body_bytes", body_bytes, "of an answer");
  CLI11_PARSE(app, argc, argv);

  prctl(PR_SET_PDEATHSIG, SIGTERM);
  Responder responder;
  std::uint16_t port = 0;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    port = responder.Listen(addresses[i], port, AnswerOf(i, body_bytes));
  }
  std::printf("{\"port\":%d}\n", port);
  std::fflush(stdout);
  responder.Run();
}
