#include "tests/support/raw_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/text_view.h"

namespace coord {
namespace {

// The value of Content-Length in `head`; 0 without one.
std::size_t ContentLength(std::string_view head) {
  const std::string lower = absl::AsciiStrToLower(AbslView(head));
  constexpr std::string_view kName = "\r\ncontent-length:";
  const std::size_t at = lower.find(kName);
  if (at == std::string::npos) return 0;
  const std::size_t begin = at + kName.size();
  std::size_t length = 0;
  if (!absl::SimpleAtoi(lower.substr(begin, lower.find('\r', begin) - begin),
                        &length)) {
    return 0;
  }
  return length;
}

}  // namespace

std::string RawAnswer(int status, std::string_view body,
                      std::string_view extra) {
  return absl::StrCat("HTTP/1.1 ", status,
                      " X\r\ncontent-type: application/json\r\n",
                      AbslView(extra), "content-length: ", body.size(),
                      "\r\n\r\n", AbslView(body));
}

std::string RawPeer::ReadRequest() {
  for (;;) {
    const std::size_t end = unread_.find("\r\n\r\n");
    if (end != std::string::npos) {
      const std::size_t size =
          end + 4 + ContentLength(std::string_view(unread_).substr(0, end + 2));
      if (unread_.size() >= size) {
        std::string request = unread_.substr(0, size);
        unread_.erase(0, size);
        return request;
      }
    }
    const std::string more = ReadSome();
    if (more.empty()) return {};
    unread_ += more;
  }
}

std::string RawPeer::ReadSome() {
  char buffer[16 << 10];
  const ssize_t n = recv(socket_, buffer, sizeof buffer, 0);
  return n > 0 ? std::string(buffer, static_cast<std::size_t>(n))
               : std::string();
}

void RawPeer::WaitForClose() {
  while (!ReadSome().empty()) {
  }
}

void RawPeer::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void RawPeer::CloseWrite() { shutdown(socket_, SHUT_WR); }

void RawPeer::ResetAtEnd() {
  const linger reset{1, 0};
  setsockopt(socket_, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

RawServer::RawServer(const std::string& host, std::uint16_t port, Script script)
    : script_(std::move(script)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (listener_ < 0 ||
      inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1 ||
      bind(listener_, generic, size) != 0 ||
      listen(listener_, SOMAXCONN) != 0 ||
      getsockname(listener_, generic, &size) != 0) {
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { AcceptLoop(); });
}

RawServer::~RawServer() {
  std::vector<std::thread> threads;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    shutdown(listener_, SHUT_RDWR);
    for (const int socket : sockets_) shutdown(socket, SHUT_RDWR);
    threads.swap(threads_);
  }
  acceptor_.join();
  close(listener_);
  for (std::thread& thread : threads) thread.join();
}

std::unique_ptr<RawServer> RawServer::Always(std::string answer) {
  return std::make_unique<RawServer>(
      [answer = std::move(answer)](RawPeer& peer, int) {
        while (!peer.ReadRequest().empty()) peer.Write(answer);
      });
}

int RawServer::connections() const {
  absl::MutexLock lock(&mutex_);
  return static_cast<int>(sockets_.size());
}

void RawServer::WaitForEnded(int count) const {
  absl::MutexLock lock(&mutex_);
  auto enough = [this, count]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return ended_ >= count;
  };
  mutex_.Await(absl::Condition(&enough));
}

void RawServer::AcceptLoop() {
  for (;;) {
    const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    absl::MutexLock lock(&mutex_);
    if (stopping_ || socket < 0) {
      if (socket >= 0) close(socket);
      if (stopping_) return;
      continue;
    }
    const int index = static_cast<int>(sockets_.size());
    sockets_.push_back(socket);
    threads_.emplace_back([this, socket, index] { Serve(socket, index); });
  }
}

void RawServer::Serve(int socket, int index) {
  RawPeer peer(socket);
  script_(peer, index);
  absl::MutexLock lock(&mutex_);
  sockets_[static_cast<std::size_t>(index)] = -1;
  close(socket);
  ++ended_;
}

}  // namespace coord
