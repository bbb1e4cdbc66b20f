// One connection of the listener.
#ifndef SERVER_HTTP_SESSION_H_
#define SERVER_HTTP_SESSION_H_

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/http/arriving_body.h"
#include "server/http/asio_loop.h"
#include "server/http/body_source.h"
#include "server/http/body_writer.h"
#include "server/http/listener.h"
#include "server/http/request_parser.h"

namespace coord {

class Session;

// What a session sees of its listener.
class SessionHost {
 public:
  virtual ~SessionHost() = default;
  virtual AsioLoop& loop() = 0;
  virtual const HttpListenerOptions& options() const = 0;
  virtual void Handle(HttpServerRequest request, HttpReply reply) = 0;
  virtual bool MayBeStreamed(const HttpServerRequest& head) const = 0;
  virtual void OnClosed(Session& session) = 0;
  // Counts bytes of bodies that are held; false, and nothing: they are too
  // many.
  virtual bool Hold(std::size_t bytes) = 0;
  virtual void LetGo(std::size_t bytes) = 0;
  // Of answers that the sockets have not taken, over all sessions.
  virtual std::size_t& unread_bytes() = 0;
};

// Reads a request, has it handled, writes the answer, and again; pipelined
// requests wait in the socket. Lives on the loop; its operations hold it.
class Session final : public std::enable_shared_from_this<Session>,
                      public BodyReceiver,
                      public BodySender {
 public:
  Session(std::shared_ptr<SessionHost> host,
          boost::asio::ip::tcp::socket socket);

  void Start();
  // Closes after the request in progress, at once if there is none.
  void CloseSoon();
  // Answers the request in progress that the server is shutting down; what is
  // streamed breaks off. An answer on its way is left to Close.
  void GiveUp();
  void Close();

  void OnBodyWanted() override;
  void OnBodyGivenUp() override;
  void WritePiece(const BodyWriter::Buffers& buffers,
                  BodyWriter::Written written) override;
  void OnStreamed(BodyWriter::End end) override;

 private:
  enum class State { kReading, kHandling, kWriting, kLingering, kClosed };
  using ErrorCode = boost::system::error_code;
  using Buffers = std::array<boost::asio::const_buffer, 2>;
  class Ticket;

  void Resume();
  bool Step();
  void Read();
  std::size_t MaxCapacity() const;
  void MakeRoom();
  void OnRead(ErrorCode error, std::size_t size);
  bool CountBody();
  bool OnIncomplete();
  bool Continue();
  void Handle(HttpServerRequest request);
  void Refuse(int status, std::string_view message);
  void Respond(HttpResponse response);
  void SerializeHead(const HttpResponse& response, bool has_body);
  void Write(Buffers buffers);
  void OnWritten();
  void SetUnread(std::size_t bytes);
  void Linger();
  void Drain();

  // Of bodies that are passed on while they arrive; in session_stream.cc.
  void HandleStreamed();
  void EndBody(absl::Status end);
  void AppendFraming();
  void StreamAnswer();
  void Watch();

  void SetDeadline(absl::Duration delay);
  void ArmTimer();
  void OnDeadline();
  void Reset();

  const std::shared_ptr<SessionHost> host_;
  boost::asio::ip::tcp::socket socket_;
  std::string peer_;
  State state_ = State::kReading;

  RequestParser parser_;
  // Bytes [begin_, end_) of buffer_ were read and not yet parsed.
  std::size_t capacity_;
  std::unique_ptr<char[]> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;

  bool reading_ = false;
  bool resuming_ = false;
  bool started_ = false;  // a part of a request has arrived
  bool continued_ = false;
  bool close_soon_ = false;
  std::size_t counted_ = 0;  // of the body, from its arrival to the answer
  // Of the request being answered.
  ArrivingBody* arriving_ = nullptr;  // the streamed body that has not ended
  bool unread_ = false;               // a part of that is not read
  bool to_head_ = false;
  bool to_old_version_ = false;
  bool keep_alive_ = true;
  bool to_the_end_ = false;  // the end of the connection ends the answer

  std::string head_;
  std::string body_;
  std::size_t not_taken_ = 0;           // of both, by the socket
  std::unique_ptr<BodySource> answer_;  // to be sent in place of body_
  std::shared_ptr<BodyWriter> writer_;  // while it is

  absl::Time deadline_ = absl::InfiniteFuture();
  absl::Time timer_due_ = absl::InfiniteFuture();
  TimerId timer_ = kNoTimer;
};

}  // namespace coord

#endif  // SERVER_HTTP_SESSION_H_
