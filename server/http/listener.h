// The HTTP listener: accepts, parses within limits, hands requests to a
// handler, sends what it answers.
#ifndef SERVER_HTTP_LISTENER_H_
#define SERVER_HTTP_LISTENER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/http/asio_loop.h"
#include "server/http/body_source.h"
#include "server/http/message.h"

namespace coord {

struct HttpServerRequest {
  std::string method;
  std::string path;   // as received, escapes and all
  std::string query;  // without the `?`
  HttpHeaders headers;
  std::string body;
  std::string peer;  // `127.0.0.1:40123`
  // The body, in place of `body`, if it is passed on while it arrives.
  std::unique_ptr<BodySource> stream = nullptr;
};

// Answers one request; to be called once, from any thread, while the loop
// lives. Destroyed uncalled, it answers 500. It chooses status, headers and
// body; the framing (Content-Length, Connection) is the listener's.
using HttpReply = absl::AnyInvocable<void(HttpResponse) &&>;
using HttpHandler = std::function<void(HttpServerRequest, HttpReply)>;
// Whether the handler takes the body of a request with this head as a stream.
using MayStream = std::function<bool(const HttpServerRequest& head)>;

struct HttpListenerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;                // 0: any free one
  std::size_t max_body_bytes = 1 << 20;  // of a request that is not streamed
  // Of all requests that arrive or are being answered; more are 429.
  std::size_t max_held_bytes = 256 << 20;
  std::size_t max_header_bytes = 32 << 10;
  std::size_t max_connections = 4096;
  // Of answers that clients have not read, over all connections; what is over
  // is 429, unless it is small.
  std::size_t max_unread_bytes = 256 << 20;
  // From the first byte of a request to its last, and for reading an answer;
  // for each piece of what is streamed.
  absl::Duration slow_client_timeout = absl::Seconds(10);
  absl::Duration idle_timeout = absl::Seconds(60);
};

// HTTP/1.1 and 1.0, keep-alive. Requests that break the rules (malformed, two
// lengths, obs-fold, headers or body too large, too slow) are answered by a
// JSON error of the node API (`{"statusCode","title","message"}`: 400, 408,
// 413, 429, 431) and their connection is closed; other connections do not
// notice.
//
// Where the handler takes streams it gets requests whose body is chunked or
// long (kMaxHeldBodyBytes) once their head has come, unless all came with it.
// Such a body has no limit, and its first Read is what answers `Expect:
// 100-continue`. It breaks off with its connection, and also when it is
// malformed or too slow, which the client is told as above; once an answer has
// begun it may be quiet for as long as it likes. Who answers before its end
// ends the connection by that.
class HttpListener {
 public:
  static constexpr absl::Duration kLastAnswerTime = absl::Milliseconds(400);

  // Binds and listens; who connects waits until Serve. Errors: UNAVAILABLE, for
  // example `listen on 127.0.0.1:8080: address already in use`.
  static absl::StatusOr<std::unique_ptr<HttpListener>> Bind(
      AsioLoop& loop, HttpListenerOptions options);
  // The same, and serves at once.
  static absl::StatusOr<std::unique_ptr<HttpListener>> Start(
      AsioLoop& loop, HttpListenerOptions options, HttpHandler handler);
  // Stops at once. Not on the loop.
  ~HttpListener();

  // Requests are handled and judged on the loop. Once. `may_stream` may be
  // nullptr: all are held whole.
  void Serve(HttpHandler handler, MayStream may_stream = nullptr);

  // The effective address, `127.0.0.1:40123`.
  std::string address() const;
  std::uint16_t port() const;

  // Of answers that clients have not read. On the loop.
  std::size_t unread_bytes() const;

  // Accepts no more, closes idle connections, lets requests that are being
  // answered finish (with `Connection: close`). What is left after `grace` is
  // answered 503, or breaks off where an answer has begun, and closed
  // kLastAnswerTime later. Then calls `done` on the loop.
  void Stop(absl::Duration grace, absl::AnyInvocable<void() &&> done);

 private:
  class Impl;
  explicit HttpListener(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace coord

#endif  // SERVER_HTTP_LISTENER_H_
