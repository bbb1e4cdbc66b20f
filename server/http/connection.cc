#include "server/http/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/request_target.h"
#include "common/text_view.h"

namespace coord {
namespace asio = boost::asio;

namespace {

constexpr std::size_t kSmallBuffer = kUnaskedAnswerBytes;
constexpr std::size_t kLargeBuffer = kMaxResponseHeaderBytes + kSmallBuffer;
constexpr std::string_view kNoTail = "\r\n";

asio::const_buffer BufferOf(std::string_view text) {
  return asio::const_buffer(text.data(), text.size());
}

}  // namespace

Connection::Connection(std::unique_ptr<Stream> stream, const std::string& peer,
                       const std::string& host_line, absl::Time retires_at)
    : stream_(std::move(stream)),
      peer_(peer),
      host_line_(host_line),
      retires_at_(retires_at),
      capacity_(kSmallBuffer),
      buffer_(std::make_unique_for_overwrite<char[]>(capacity_)) {}

bool Connection::Start(HttpRequest& request, Done done) {
  closed_ = nullptr;
  sent_ = false;
  parser_.Start(request.method == "HEAD", request.max_body_bytes,
                request.streamed_answers);
  if (!Write(request)) return false;
  request_body_ = std::move(request.stream);
  room_ = request.room;
  room_key_ = request.room_key;
  answer_bytes_ = 0;
  granted_bytes_ = kUnaskedAnswerBytes;
  held_up_ = false;
  done_ = std::move(done);
  if (!reading_) Read();
  return true;
}

void Connection::Rest(absl::Time since, absl::AnyInvocable<void() &&> closed) {
  resting_since_ = since;
  closed_ = std::move(closed);
  tail_ = nullptr;
  if (capacity_ > kSmallBuffer && !reading_) {
    capacity_ = kSmallBuffer;
    buffer_ = std::make_unique_for_overwrite<char[]>(capacity_);
    begin_ = end_ = 0;
  }
}

bool Connection::IsSpent() {
  char byte = 0;
  const ssize_t size =
      recv(stream_->socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return size >= 0 || errno != EAGAIN;
}

void Connection::Close() {
  if (!std::exchange(open_, false)) return;
  // Destroying a callback may come back here.
  Done done = std::move(done_);
  auto closed = std::move(closed_);
  Released released = std::move(released_);
  done_ = nullptr;
  closed_ = nullptr;
  released_ = nullptr;
  ErrorCode ignored;
  stream_->socket.close(ignored);
  GiveRequestUp();
}

// Tries at once, without a hop through the loop; only what the socket does not
// take waits.
bool Connection::Write(const HttpRequest& request) {
  head_.clear();
  const bool sendable = std::all_of(request.target.begin(),
                                    request.target.end(), IsTargetCharacter);
  absl::StrAppend(&head_, request.method, " ",
                  sendable ? request.target : EscapeTarget(request.target),
                  " HTTP/1.1\r\n", host_line_);
  tail_ = request.tail;
  Buffers buffers = {BufferOf(head_), BufferOf(tail_ ? *tail_ : kNoTail)};
  std::size_t written = 0;
  if (!stream_->tls) {
    ErrorCode error;
    written = stream_->socket.write_some(buffers, error);
    if (error && error != asio::error::would_block) return false;
    if (written == asio::buffer_size(buffers) && request.stream == nullptr) {
      sent_ = true;
      return true;
    }
  }
  sent_ = true;
  const std::size_t from_head = std::min(written, head_.size());
  buffers[0] += from_head;
  buffers[1] += written - from_head;
  WriteRest(buffers);
  return true;
}

void Connection::WriteRest(Buffers buffers) {
  writing_ = true;
  auto on_written = [self = shared_from_this()](ErrorCode error, std::size_t) {
    self->writing_ = false;
    if (!self->open_) return;
    if (error) return self->OnWriteFailed();
    if (self->request_body_ != nullptr) self->StreamRequest();
  };
  if (stream_->tls) {
    asio::async_write(*stream_->tls, buffers, std::move(on_written));
  } else {
    asio::async_write(stream_->socket, buffers, std::move(on_written));
  }
}

// The server may have answered before it stopped reading: the read tells.
void Connection::OnWriteFailed() {
  write_failed_ = true;
  ErrorCode ignored;
  stream_->socket.shutdown(asio::socket_base::shutdown_receive, ignored);
}

void Connection::Read() {
  reading_ = true;
  MakeRoom();
  const asio::mutable_buffer room(buffer_.get() + end_, capacity_ - end_);
  auto on_read = [self = shared_from_this()](ErrorCode error,
                                             std::size_t size) {
    self->OnRead(error, size);
  };
  if (stream_->tls) {
    stream_->tls->async_read_some(room, std::move(on_read));
  } else {
    stream_->socket.async_read_some(room, std::move(on_read));
  }
}

// A read that filled the buffer promises more: the buffer grows.
std::size_t Connection::NextCapacity() const {
  return end_ == capacity_ ? std::min(4 * capacity_, kLargeBuffer) : capacity_;
}

void Connection::MakeRoom() {
  const std::size_t capacity = NextCapacity();
  const std::size_t waiting = end_ - begin_;
  if (capacity > capacity_) {
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

void Connection::OnRead(ErrorCode error, std::size_t size) {
  reading_ = false;
  if (!open_) return;
  if (!done_ && answer_ == nullptr) {
    // Between requests: the server has closed, or sent what nobody asked for.
    auto closed = std::move(closed_);
    Close();
    if (closed) std::move(closed)();
    return;
  }
  if (error) return OnReadError(error);
  end_ += size;
  answer_bytes_ += size;
  std::size_t taken = 0;
  const auto progress =
      parser_.Parse({buffer_.get() + begin_, end_ - begin_}, taken);
  begin_ += taken;
  OnProgress(progress);
  // Whoever got the answer may have sent the next request on this connection.
  if (open_ && !reading_ && (answer_ == nullptr || answer_->wanted())) {
    ReadMore();
  }
}

// Asks for the room of what a read may bring, if an answer is arriving.
void Connection::ReadMore() {
  const std::size_t size = answer_bytes_ + NextCapacity();
  if (done_ && room_ != nullptr && size > granted_bytes_) {
    const std::size_t more = size - granted_bytes_;
    held_up_ = !room_->MayGrow(room_key_, more);
    granted_bytes_ = size;
  }
  if (!held_up_) Read();
}

void Connection::GoOn() {
  if (std::exchange(held_up_, false) && open_) Read();
}

void Connection::OnProgress(ResponseParser::Progress progress) {
  switch (progress) {
    case ResponseParser::Progress::kNeedMore:
      if (parser_.streamed()) PassOn();
      return;
    case ResponseParser::Progress::kDone: {
      const bool reusable =
          parser_.keep_alive() && begin_ == end_ && !writing_ && !write_failed_;
      return Finish(parser_.TakeResponse(), reusable);
    }
    case ResponseParser::Progress::kFailed:
      return Fail(parser_.error_kind(), parser_.error());
  }
}

void Connection::OnReadError(ErrorCode error) {
  // Without TLS's own end the answer may have been cut by anybody.
  if (error != asio::error::eof) {
    return Fail(HttpError::Kind::kConnectionLost, ErrorText(error));
  }
  if (parser_.ParseEnd() == ResponseParser::Progress::kFailed) {
    return Fail(parser_.error_kind(), parser_.error());
  }
  Finish(parser_.TakeResponse(), false);
}

void Connection::Fail(HttpError::Kind kind, std::string_view cause) {
  FailRequest(kind,
              absl::StrCat("read answer from ", peer_, ": ", AbslView(cause)));
}

void Connection::FailRequest(HttpError::Kind kind, std::string message) {
  HttpError error{kind, sent_, answered(), std::move(message)};
  error.heard = heard();
  Finish(std::move(error), false);
}

void Connection::Finish(HttpOutcome outcome, bool reusable) {
  GiveRequestUp();
  if (answer_ != nullptr) return EndAnswer(std::move(outcome), reusable);
  Done done = std::move(done_);
  done_ = nullptr;
  std::move(done)(std::move(outcome), reusable);
}

}  // namespace coord
