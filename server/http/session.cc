#include "server/http/session.h"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/text_view.h"
#include "server/http/router.h"
#include "server/http/stream.h"

namespace coord {
namespace asio = boost::asio;

namespace {

constexpr std::size_t kSmallBuffer = 4 << 10;
// How long a client may take to notice the end of the connection.
constexpr absl::Duration kLinger = absl::Seconds(1);
// An answer that is sent however much waits to be read.
constexpr std::size_t kSmallAnswer = 4 << 10;
constexpr std::string_view kShuttingDown = "the server is shutting down";
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

// What only the session decides, and what would break the framing.
bool MayBeSent(const HttpHeader& header) {
  return !absl::EqualsIgnoreCase(header.name, "content-length") &&
         !absl::EqualsIgnoreCase(header.name, "transfer-encoding") &&
         !absl::EqualsIgnoreCase(header.name, "connection") &&
         header.value.find_first_of(std::string_view("\r\n\0", 3)) ==
             std::string::npos;
}

HttpResponse TooMuchUnread() {
  HttpResponse response =
      JsonError(429, "too many answers wait for clients that do not read");
  response.headers.push_back({"Retry-After", "1"});
  return response;
}

}  // namespace

// The right to answer one request.
class Session::Ticket {
 public:
  Ticket(AsioLoop& loop, std::weak_ptr<Session> session)
      : loop_(&loop), session_(std::move(session)) {}
  Ticket(Ticket&& other) noexcept
      : loop_(std::exchange(other.loop_, nullptr)),
        session_(std::move(other.session_)) {}
  Ticket& operator=(Ticket&&) = delete;
  ~Ticket() {
    if (loop_ != nullptr) Use(JsonError(500, "the request was dropped"));
  }

  void Use(HttpResponse response) {
    AsioLoop& loop = *std::exchange(loop_, nullptr);
    auto respond = [session = std::move(session_),
                    response = std::move(response)]() mutable {
      if (const auto held = session.lock()) held->Respond(std::move(response));
    };
    if (loop.OnLoop()) {
      respond();
    } else {
      loop.Post(std::move(respond));
    }
  }

 private:
  AsioLoop* loop_;  // nullptr once used
  std::weak_ptr<Session> session_;
};

Session::Session(std::shared_ptr<SessionHost> host,
                 asio::ip::tcp::socket socket)
    : host_(std::move(host)),
      socket_(std::move(socket)),
      parser_(host_->options().max_header_bytes,
              host_->options().max_body_bytes,
              [host = host_.get()](const HttpServerRequest& head) {
                return host->MayBeStreamed(head);
              }),
      capacity_(kSmallBuffer),
      buffer_(std::make_unique_for_overwrite<char[]>(capacity_)) {}

void Session::Start() {
  ErrorCode error;
  const auto remote = socket_.remote_endpoint(error);
  if (!error) socket_.set_option(asio::ip::tcp::no_delay(true), error);
  if (!error) socket_.non_blocking(true, error);
  if (error) return Close();
  peer_ = HostAndPort(
      {.host = remote.address().to_string(), .port = remote.port()});
  SetDeadline(host_->options().idle_timeout);
  Read();
}

void Session::CloseSoon() {
  close_soon_ = true;
  if (state_ == State::kReading && !started_) Close();
}

void Session::GiveUp() {
  if (writer_ != nullptr) return Close();
  if (state_ == State::kReading) return Refuse(503, kShuttingDown);
  keep_alive_ = false;
  Respond(JsonError(503, kShuttingDown));
}

void Session::Close() {
  if (std::exchange(state_, State::kClosed) == State::kClosed) return;
  ErrorCode ignored;
  socket_.close(ignored);
  SetUnread(0);
  if (writer_ != nullptr) std::exchange(writer_, nullptr)->Stop();
  answer_ = nullptr;
  host_->loop().Cancel(timer_);
  host_->LetGo(std::exchange(counted_, 0));
  host_->OnClosed(*this);
  EndBody(absl::UnavailableError("the client is gone"));
}

// Goes from request to request as long as nothing has to wait. A handler that
// answers at once comes back into this loop, not into another one inside it.
void Session::Resume() {
  if (resuming_) return;
  resuming_ = true;
  while (state_ == State::kReading && Step()) {
  }
  resuming_ = false;
}

// False: a read was started.
bool Session::Step() {
  if (begin_ == end_) {
    Read();
    return false;
  }
  std::size_t taken = 0;
  const auto progress =
      parser_.Parse({buffer_.get() + begin_, end_ - begin_}, taken);
  begin_ += taken;
  if (progress != RequestParser::Progress::kFailed && !CountBody()) {
    Refuse(429,
           "the bodies of requests that are held are at their limit "
           "(--max-http-held-bytes)");
    return true;
  }
  switch (progress) {
    case RequestParser::Progress::kNeedMore:
      if (!parser_.streamed()) return OnIncomplete();
      HandleStreamed();
      return true;
    case RequestParser::Progress::kDone:
      Handle(parser_.TakeRequest());
      return true;
    case RequestParser::Progress::kFailed:
      Refuse(parser_.error_status(), parser_.error());
      return true;
  }
  return false;
}

// False: there is no room for what has come of the body.
bool Session::CountBody() {
  if (parser_.streamed()) return true;
  const std::size_t size = parser_.body_bytes();
  if (size > counted_ && !host_->Hold(size - counted_)) return false;
  counted_ = size;
  return true;
}

bool Session::OnIncomplete() {
  if (!started_ && parser_.begun()) {
    started_ = true;
    SetDeadline(host_->options().slow_client_timeout);
  }
  if (!Continue()) return true;
  Read();
  return false;
}

// Asks for the body where the client wants to be asked. False: it is closed.
bool Session::Continue() {
  if (!parser_.wants_continue() || std::exchange(continued_, true)) return true;
  // Nothing else is on its way to this client: it fits, or all is lost.
  ErrorCode error;
  socket_.write_some(asio::const_buffer(kContinue.data(), kContinue.size()),
                     error);
  if (error) Close();
  return !error;
}

void Session::Read() {
  if (std::exchange(reading_, true)) return;
  MakeRoom();
  socket_.async_read_some(
      asio::mutable_buffer(buffer_.get() + end_, capacity_ - end_),
      [self = shared_from_this()](ErrorCode error, std::size_t size) {
        self->OnRead(error, size);
      });
}

std::size_t Session::MaxCapacity() const {
  return host_->options().max_header_bytes + kSmallBuffer;
}

// A read that filled the buffer promises more: the buffer grows.
void Session::MakeRoom() {
  const std::size_t max = MaxCapacity();
  const std::size_t waiting = end_ - begin_;
  if (end_ == capacity_ && capacity_ < max) {
    const std::size_t capacity = std::min(4 * capacity_, max);
    auto buffer = std::make_unique_for_overwrite<char[]>(capacity);
    std::memcpy(buffer.get(), buffer_.get() + begin_, waiting);
    buffer_ = std::move(buffer);
    capacity_ = capacity;
  } else if (begin_ > 0) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, waiting);
  }
  begin_ = 0;
  end_ = waiting;
}

void Session::OnRead(ErrorCode error, std::size_t size) {
  reading_ = false;
  if (state_ == State::kClosed) return;
  const bool wanted = arriving_ != nullptr && arriving_->wanted();
  if (error) {
    // While a request is being answered, the next read says it again.
    if (wanted || (state_ != State::kHandling &&
                   (state_ != State::kWriting || writer_))) {
      Close();
    }
    return;
  }
  if (state_ == State::kLingering) return Drain();
  end_ += size;
  if (state_ == State::kReading) return Resume();
  if (wanted) OnBodyWanted();
  Watch();
}

void Session::Handle(HttpServerRequest request) {
  state_ = State::kHandling;
  deadline_ = absl::InfiniteFuture();
  started_ = true;
  request.peer = peer_;
  to_head_ = request.method == "HEAD";
  to_old_version_ = parser_.old_version();
  keep_alive_ = parser_.keep_alive();
  host_->Handle(
      std::move(request),
      [ticket = Ticket(host_->loop(), weak_from_this())](
          HttpResponse response) mutable { ticket.Use(std::move(response)); });
}

void Session::Refuse(int status, std::string_view message) {
  state_ = State::kHandling;
  to_head_ = false;
  to_old_version_ = false;
  keep_alive_ = false;
  Respond(JsonError(status, message));
}

void Session::Respond(HttpResponse response) {
  if (state_ != State::kHandling) return;
  state_ = State::kWriting;
  if (response.status < 200 || response.status > 999) {
    response = JsonError(500, "the handler answered without a status");
  }
  if (response.body.size() > kSmallAnswer &&
      host_->unread_bytes() + response.body.size() >
          host_->options().max_unread_bytes) {
    response = TooMuchUnread();
  }
  // What is left of its body would be the next request.
  if (close_soon_ || unread_) keep_alive_ = false;
  const bool has_body = response.status != 204 && response.status != 304;
  if (has_body && !to_head_) answer_ = std::move(response.stream);
  SerializeHead(response, has_body);
  body_ = has_body && !to_head_ ? std::move(response.body) : std::string();
  Write({asio::buffer(head_), asio::buffer(body_)});
}

void Session::SerializeHead(const HttpResponse& response, bool has_body) {
  head_.clear();
  absl::StrAppend(&head_, "HTTP/1.1 ", response.status, " ",
                  AbslView(StatusTitle(response.status)), "\r\n");
  for (const HttpHeader& header : response.headers) {
    if (!MayBeSent(header)) continue;
    absl::StrAppend(&head_, header.name, ": ", header.value, "\r\n");
  }
  // Of what was not made for a HEAD request, the length is unknown.
  if (answer_ != nullptr) {
    AppendFraming();
  } else if (has_body && !(to_head_ && response.body.empty())) {
    absl::StrAppend(&head_, "Content-Length: ", response.body.size(), "\r\n");
  }
  if (!keep_alive_) {
    absl::StrAppend(&head_, "Connection: close\r\n");
  } else if (to_old_version_) {
    absl::StrAppend(&head_, "Connection: keep-alive\r\n");
  }
  absl::StrAppend(&head_, "\r\n");
}

// Tries at once; only what the socket does not take waits.
void Session::Write(Buffers buffers) {
  ErrorCode error;
  const std::size_t written = socket_.write_some(buffers, error);
  if (error && error != asio::error::would_block) return Close();
  if (written == asio::buffer_size(buffers)) return OnWritten();
  const std::size_t from_head = std::min(written, buffers[0].size());
  buffers[0] += from_head;
  buffers[1] += written - from_head;
  SetUnread(asio::buffer_size(buffers));
  SetDeadline(host_->options().slow_client_timeout);
  asio::async_write(
      socket_, buffers,
      [self = shared_from_this()](ErrorCode failure, std::size_t) {
        if (self->state_ == State::kClosed) return;
        if (failure) return self->Close();
        self->OnWritten();
        self->Resume();
      });
}

void Session::SetUnread(std::size_t bytes) {
  host_->unread_bytes() += bytes - std::exchange(not_taken_, bytes);
}

void Session::OnWritten() {
  SetUnread(0);
  if (answer_ != nullptr) return StreamAnswer();
  body_ = std::string();
  host_->LetGo(std::exchange(counted_, 0));
  if (!keep_alive_ || close_soon_) return Linger();
  state_ = State::kReading;
  started_ = false;
  continued_ = false;
  parser_.Start();
  SetDeadline(host_->options().idle_timeout);
  if (resuming_) return;
  if (begin_ == end_) {
    Read();
  } else {
    // The caller answered from code of its own, which the handler of the next
    // request must not enter again.
    host_->loop().Post([self = shared_from_this()] { self->Resume(); });
  }
}

// Closing while the client still sends would reset the connection, and with it
// the answer on its way.
void Session::Linger() {
  state_ = State::kLingering;
  EndBody(absl::UnavailableError("the request has been answered"));
  ErrorCode ignored;
  socket_.shutdown(asio::socket_base::shutdown_send, ignored);
  SetDeadline(kLinger);
  if (!reading_) Drain();
}

void Session::Drain() {
  socket_.async_read_some(
      asio::mutable_buffer(buffer_.get(), capacity_),
      [self = shared_from_this()](ErrorCode error, std::size_t) {
        if (self->state_ == State::kClosed) return;
        if (error) return self->Close();
        self->Drain();
      });
}

// Moving a deadline away leaves the timer alone, which then waits once more:
// busy connections set no timers.
void Session::SetDeadline(absl::Duration delay) {
  deadline_ = host_->loop().Now() + delay;
  if (deadline_ < timer_due_) ArmTimer();
}

void Session::ArmTimer() {
  AsioLoop& loop = host_->loop();
  loop.Cancel(timer_);
  timer_due_ = deadline_;
  timer_ = loop.RunAfter(deadline_ - loop.Now(), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->OnDeadline();
  });
}

void Session::OnDeadline() {
  timer_ = kNoTimer;
  timer_due_ = absl::InfiniteFuture();
  if (deadline_ > host_->loop().Now()) {
    if (deadline_ < absl::InfiniteFuture()) ArmTimer();
    return;
  }
  if (state_ == State::kHandling || (state_ == State::kReading && started_)) {
    return Refuse(408, "the request took too long to arrive");
  }
  if (state_ == State::kWriting) {
    // The kernel would keep the rest for a client that does not read.
    return Reset();
  }
  Close();
}

// Closes so that the client can't take it for the end of an answer.
void Session::Reset() {
  ErrorCode ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  Close();
}

}  // namespace coord
