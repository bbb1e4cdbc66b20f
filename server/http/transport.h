// Sending HTTP requests: what callers see of the client, and what their tests
// replace.
#ifndef SERVER_HTTP_TRANSPORT_H_
#define SERVER_HTTP_TRANSPORT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "common/url.h"
#include "server/http/body_source.h"
#include "server/http/message.h"

namespace coord {

// The part of a request that is the same for every server it goes to: all
// header lines but Host, the empty line, the body. Serialised once for each
// fan-out, shared by all its node calls.
using SharedTail = std::shared_ptr<const std::string>;

// Adds Content-Length where `body` is not empty or `method` wants one.
// `headers` must be free of CR, LF and NUL.
SharedTail SerializeTail(std::string_view method, const HttpHeaders& headers,
                         std::string_view body);

// The same for a body that is passed on while it arrives; all but the body.
SharedTail SerializeTail(const HttpHeaders& headers, const BodySource& body);

// The answers whose bodies are passed on while they arrive. One that comes
// whole with its head is handed over as any other.
enum class StreamedAnswers { kNone, kAllBut2xx, kAll };

// What an answer may bring before its AnswerRoom is asked: one read.
inline constexpr std::size_t kUnaskedAnswerBytes = 4 << 10;

// Where whole answers are kept within a limit. Used on the transport's loop.
class AnswerRoom {
 public:
  virtual ~AnswerRoom() = default;
  // Whether the answer to the request with this `key` may grow by `bytes` more.
  // False: nothing more is read of it until HttpTransport::GoOn, which is the
  // leave to grow so far.
  virtual bool MayGrow(std::uint64_t key, std::size_t bytes) = 0;
};

struct HttpRequest {
  Origin origin;
  std::string method = "GET";
  std::string target = "/";  // path and query; sent by EscapeTarget
  SharedTail tail;           // nullptr: no headers, no body
  // What follows `tail`, if that was made for a stream. It is read once a
  // connection has taken the head. An answer that is whole before its end gives
  // it up. Unless all of it was sent, the connection is closed.
  std::unique_ptr<BodySource> stream = nullptr;
  // Whether a second execution does no harm. One that must not be repeated
  // only goes out on a connection that is fresh or was idle for less than 1 s.
  bool repeatable = false;
  std::size_t max_body_bytes = 3 << 20;  // of an answer that is not streamed
  // Outlives the request; nullptr: an answer is read as fast as it comes.
  AnswerRoom* room = nullptr;
  std::uint64_t room_key = 0;
  StreamedAnswers streamed_answers = StreamedAnswers::kNone;
  // From when there is an address and a socket.
  absl::Duration connect_timeout = absl::Seconds(5);
  // From Send to the last byte of the answer, or to the head of one that is
  // streamed. It stands still while `stream` is asked for a piece, and begins
  // anew with each, the end too. Infinite: the caller cancels.
  absl::Duration timeout = absl::InfiniteDuration();
};

struct HttpError {
  enum class Kind {
    kUnreachable,  // no connection
    kTimeout,
    kConnectionLost,  // before the answer or the request's stream was whole
    kBadResponse,     // no HTTP that we can read
    kTooLarge,        // headers over 64 KiB, or body over max_body_bytes
    // Neither says anything about the server.
    kOverloaded,  // this process is short of connections or sockets
    kUnresolved,  // the DNS has no address of it, or does not answer
  };
  Kind kind = Kind::kUnreachable;
  // Whether a byte of the request may have left this machine.
  bool sent = false;
  // Whether response headers had arrived (then `sent` too): the server
  // answered, the answer was unusable.
  bool answered = false;
  std::string message;  // `connect 127.0.0.1:80: connection refused`

  // Whether nothing was heard of the server because it was never asked: no
  // evidence for or against its life.
  bool says_nothing() const {
    return kind == Kind::kOverloaded || kind == Kind::kUnresolved;
  }

  // kUnreachable because the machine answered that nobody listens there.
  bool refused = false;
  // Whether a byte of an answer had come, or of a TLS handshake, if none that
  // we could make sense of: somebody lives there. Never false where `answered`.
  bool heard = false;
};

using HttpOutcome = std::variant<HttpResponse, HttpError>;

// What is known of a request that was given up: see HttpError.
struct GivenUp {
  bool sent = false;
  bool heard = false;
};

enum class RequestId : std::uint64_t {};
inline constexpr RequestId kNoRequest{0};

// Lives on one event loop and is used only there.
class HttpTransport {
 public:
  using Done = absl::AnyInvocable<void(HttpOutcome) &&>;

  virtual ~HttpTransport() = default;

  // Sends `request`; `done` is called exactly once, on the loop and never
  // inside Send, unless the request is cancelled before. Redirects are not
  // followed; nothing is repeated. A streamed answer has no deadline after its
  // head: who holds the stream decides for how long. When the transport is
  // destroyed, a Read that waits is not answered, the next one fails.
  virtual RequestId Send(HttpRequest request, Done done) = 0;

  // Gives a request up: its `done` is destroyed without a call and its
  // connection is closed. Of one that is not in flight nothing is known.
  virtual GivenUp Cancel(RequestId id) = 0;

  // Goes on reading an answer that its AnswerRoom has held up. Harmless for any
  // other request. Never calls anything back inside.
  virtual void GoOn(RequestId id) = 0;

  // What keeps a request in flight from its server without any fault of that:
  // a name that is being looked up, the want of a connection or a socket. As an
  // error that says_nothing(), whose text has `how_long` it has lasted, such as
  // `within 10s`. nullopt when it is for the server to answer.
  virtual std::optional<HttpError> HeldUpBy(
      RequestId id, std::string_view how_long) const = 0;
};

}  // namespace coord

#endif  // SERVER_HTTP_TRANSPORT_H_
