// Bodies that are passed on while they arrive.
#include <boost/asio/write.hpp>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/http/session.h"

namespace coord {
namespace asio = boost::asio;

void Session::HandleStreamed() {
  HttpServerRequest request = parser_.TakeHead();
  auto body =
      std::make_unique<ArrivingBody>(shared_from_this(), parser_.length());
  arriving_ = body.get();
  unread_ = true;
  request.stream = std::move(body);
  Handle(std::move(request));
}

// Gives what has come, or reads more. The client is held to its time until the
// answer begins: after that both may be quiet.
void Session::OnBodyWanted() {
  if (state_ == State::kHandling) deadline_ = absl::InfiniteFuture();
  auto progress = RequestParser::Progress::kNeedMore;
  if (begin_ != end_) {
    std::size_t taken = 0;
    progress = parser_.Parse({buffer_.get() + begin_, end_ - begin_}, taken);
    begin_ += taken;
  }
  if (progress == RequestParser::Progress::kFailed) {
    if (state_ != State::kHandling) return Close();
    return Refuse(parser_.error_status(), parser_.error());
  }
  if (progress == RequestParser::Progress::kDone) {
    unread_ = false;
    return EndBody(absl::OkStatus());
  }
  std::string piece = parser_.TakePiece();
  if (!piece.empty()) return arriving_->OnPiece(std::move(piece));
  if (state_ == State::kHandling) {
    if (!Continue()) return;
    SetDeadline(host_->options().slow_client_timeout);
  }
  Read();
}

void Session::OnBodyGivenUp() {
  arriving_ = nullptr;
  if (state_ == State::kHandling) deadline_ = absl::InfiniteFuture();
}

void Session::EndBody(absl::Status end) {
  ArrivingBody* const body = std::exchange(arriving_, nullptr);
  if (body == nullptr) return;
  std::string rest = end.ok() ? parser_.TakePiece() : std::string();
  body->OnEnd(std::move(rest), std::move(end));
}

void Session::AppendFraming() {
  if (answer_->length()) {
    absl::StrAppend(&head_, "Content-Length: ", *answer_->length(), "\r\n");
  } else if (!to_old_version_) {
    absl::StrAppend(&head_, "Transfer-Encoding: chunked\r\n");
  } else {
    to_the_end_ = true;
    keep_alive_ = false;
  }
}

void Session::StreamAnswer() {
  deadline_ = absl::InfiniteFuture();
  const bool chunked = !answer_->length() && !to_the_end_;
  writer_ = std::make_shared<BodyWriter>(
      std::move(answer_),
      chunked ? BodyWriter::Framing::kChunked : BodyWriter::Framing::kAsItIs,
      weak_from_this());
  // Nobody else may ever tell, however long the answer is quiet.
  ErrorCode ignored;
  socket_.set_option(asio::socket_base::keep_alive(true), ignored);
  Watch();
  const auto writer = writer_;
  writer->Start();
}

void Session::WritePiece(const BodyWriter::Buffers& buffers,
                         BodyWriter::Written written) {
  SetDeadline(host_->options().slow_client_timeout);
  asio::async_write(socket_, buffers,
                    [self = shared_from_this(), written = std::move(written)](
                        ErrorCode error, std::size_t) mutable {
                      self->deadline_ = absl::InfiniteFuture();
                      std::move(written)(error);
                    });
}

void Session::OnStreamed(BodyWriter::End end) {
  writer_ = nullptr;
  if (end == BodyWriter::End::kWhole) return OnWritten();
  if (to_the_end_) return Reset();
  Close();
}

// Notices that the client leaves, as long as there is room for what it sends
// before its time.
void Session::Watch() {
  if (writer_ != nullptr && end_ - begin_ < MaxCapacity()) Read();
}

}  // namespace coord
