// One connection of the client: one request at a time.
#ifndef SERVER_HTTP_CONNECTION_H_
#define SERVER_HTTP_CONNECTION_H_

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "server/http/arriving_body.h"
#include "server/http/body_writer.h"
#include "server/http/response_parser.h"
#include "server/http/stream.h"
#include "server/http/transport.h"

namespace coord {

// Lives on the loop; its operations hold it. A read is always waiting, between
// requests too, so that the end of a connection is noticed as it comes; it
// costs nothing, since a request needs a read waiting anyhow.
class Connection final : public std::enable_shared_from_this<Connection>,
                         public BodyReceiver,
                         public BodySender {
 public:
  // The end of a request, or the head of a streamed answer. `reusable`: the
  // connection may carry another request, which is not yet known of the latter.
  using Done = absl::AnyInvocable<void(HttpOutcome, bool reusable) &&>;
  using Released = absl::AnyInvocable<void(bool reusable) &&>;

  // `peer` and `host_line` (`Host: …\r\n`) outlive this until Close. From
  // `retires_at` on no other request should be sent on it.
  Connection(std::unique_ptr<Stream> stream, const std::string& peer,
             const std::string& host_line, absl::Time retires_at);

  // Sends `request`; `done` comes later, unless Close comes first. False: the
  // connection is dead and not a byte has left; `done` is destroyed. Else the
  // stream of `request` is taken, to be read later, too.
  bool Start(HttpRequest& request, Done done);

  // Once `done` got a streamed answer: `released` is called at its end, or when
  // its stream is destroyed.
  void Lend(Released released) { released_ = std::move(released); }

  // Between requests: `closed` is called when the connection dies.
  void Rest(absl::Time since, absl::AnyInvocable<void() &&> closed);

  // Between requests: whether the server has closed, or sent what nobody asked
  // for, and the loop has not come to it yet.
  bool IsSpent();

  // Goes on with an answer that its room has held up.
  void GoOn();

  // Ends it; no callback comes after.
  void Close();

  // Of the request in flight: see HttpError.
  bool sent() const { return sent_; }
  bool answered() const { return parser_.got_header(); }
  bool heard() const { return answer_bytes_ > 0; }

  void OnBodyWanted() override;
  void OnBodyGivenUp() override;
  void WritePiece(const BodyWriter::Buffers& buffers,
                  BodyWriter::Written written) override;
  void OnStreamed(BodyWriter::End end) override;

  absl::Time resting_since() const { return resting_since_; }
  absl::Time retires_at() const { return retires_at_; }

 private:
  using ErrorCode = boost::system::error_code;
  using Buffers = std::array<boost::asio::const_buffer, 2>;

  bool Write(const HttpRequest& request);
  void WriteRest(Buffers buffers);
  void OnWriteFailed();
  void Read();
  void ReadMore();
  std::size_t NextCapacity() const;
  void MakeRoom();
  void OnRead(ErrorCode error, std::size_t size);
  void OnProgress(ResponseParser::Progress progress);
  void OnReadError(ErrorCode error);
  void Fail(HttpError::Kind kind, std::string_view cause);
  void FailRequest(HttpError::Kind kind, std::string message);
  void Finish(HttpOutcome outcome, bool reusable);

  // Of streamed bodies; in connection_stream.cc.
  void StreamRequest();
  void GiveRequestUp();
  void PassOn();
  void EndAnswer(HttpOutcome outcome, bool reusable);
  void Release(bool reusable);

  const std::unique_ptr<Stream> stream_;
  const std::string& peer_;
  const std::string& host_line_;
  const absl::Time retires_at_;

  Done done_;  // empty between requests, and once a streamed answer has begun
  std::string head_;
  SharedTail tail_;
  bool sent_ = false;
  std::unique_ptr<BodySource> request_body_;  // to be sent behind tail_
  std::shared_ptr<BodyWriter> writer_;        // while it is
  bool writing_ = false;
  bool write_failed_ = false;

  bool open_ = true;
  bool reading_ = false;
  ResponseParser parser_;
  // Bytes [begin_, end_) of buffer_ were read and not yet parsed.
  std::size_t capacity_;
  std::unique_ptr<char[]> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;

  std::size_t answer_bytes_ = 0;  // have come

  // Of an answer that is not streamed.
  AnswerRoom* room_ = nullptr;
  std::uint64_t room_key_ = 0;
  std::size_t granted_bytes_ = 0;  // may come
  bool held_up_ = false;           // until GoOn

  ArrivingBody* answer_ = nullptr;  // the streamed one that has not ended
  Released released_;

  absl::AnyInvocable<void() &&> closed_;
  absl::Time resting_since_ = absl::InfinitePast();
};

}  // namespace coord

#endif  // SERVER_HTTP_CONNECTION_H_
