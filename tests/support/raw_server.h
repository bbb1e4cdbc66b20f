// A TCP server that a test scripts byte by byte.
#ifndef TESTS_SUPPORT_RAW_SERVER_H_
#define TESTS_SUPPORT_RAW_SERVER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/url.h"

namespace coord {

// `HTTP/1.1 <status> X` with content-length, content-type: application/json and
// `extra` header lines (each ends in CRLF).
std::string RawAnswer(int status, std::string_view body,
                      std::string_view extra = {});

// One accepted connection, as its script sees it. Everything ends at once when
// the server is destroyed.
class RawPeer {
 public:
  explicit RawPeer(int socket) : socket_(socket) {}

  int socket() const { return socket_; }

  // The next request, headers and (by Content-Length) body; empty once the
  // client has closed.
  std::string ReadRequest();
  // Blocks until the client sends, and returns what came; empty at the end.
  std::string ReadSome();
  // Blocks until the client has closed; what it sends meanwhile is dropped.
  void WaitForClose();
  void Write(std::string_view bytes);
  // Ends the sending direction.
  void CloseWrite();
  // Makes the end of the script reset the connection instead of closing it.
  void ResetAtEnd();

 private:
  const int socket_;
  std::string unread_;
};

// Listens on 127.0.0.1, a free port, unless told otherwise. Each connection
// gets a thread that runs the script; the connection closes when the script
// returns.
class RawServer {
 public:
  // `index`: how many connections came before.
  using Script = std::function<void(RawPeer& peer, int index)>;

  explicit RawServer(Script script)
      : RawServer("127.0.0.1", 0, std::move(script)) {}
  // On another address of this machine.
  RawServer(const std::string& host, std::uint16_t port, Script script);
  ~RawServer();

  // Answers every request on every connection with the same bytes.
  static std::unique_ptr<RawServer> Always(std::string answer);

  std::uint16_t port() const { return port_; }
  Origin origin() const { return {false, "127.0.0.1", port_}; }
  // Connections accepted so far.
  int connections() const;
  // Blocks until `count` scripts have returned.
  void WaitForEnded(int count) const;

 private:
  void AcceptLoop();
  void Serve(int socket, int index);

  const Script script_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  int ended_ ABSL_GUARDED_BY(mutex_) = 0;
  // -1: that script has ended.
  std::vector<int> sockets_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
  std::thread acceptor_;
};

}  // namespace coord

#endif  // TESTS_SUPPORT_RAW_SERVER_H_
