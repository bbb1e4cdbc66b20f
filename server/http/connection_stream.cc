// Bodies that are passed on while they arrive.
#include <boost/asio/write.hpp>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/http/connection.h"

namespace coord {
namespace asio = boost::asio;

void Connection::StreamRequest() {
  writing_ = true;
  const auto framing = request_body_->length() ? BodyWriter::Framing::kAsItIs
                                               : BodyWriter::Framing::kChunked;
  writer_ = std::make_shared<BodyWriter>(std::move(request_body_), framing,
                                         weak_from_this());
  const auto writer = writer_;
  writer->Start();
}

void Connection::WritePiece(const BodyWriter::Buffers& buffers,
                            BodyWriter::Written written) {
  auto on_written = [self = shared_from_this(), written = std::move(written)](
                        ErrorCode error, std::size_t) mutable {
    std::move(written)(error);
  };
  if (stream_->tls) {
    asio::async_write(*stream_->tls, buffers, std::move(on_written));
  } else {
    asio::async_write(stream_->socket, buffers, std::move(on_written));
  }
}

void Connection::OnStreamed(BodyWriter::End end) {
  writer_ = nullptr;
  switch (end) {
    case BodyWriter::End::kWhole:
      writing_ = false;
      return;
    case BodyWriter::End::kWriteFailed:
      return OnWriteFailed();
    case BodyWriter::End::kSourceBroke:
      return FailRequest(
          HttpError::Kind::kConnectionLost,
          absl::StrCat("send request to ", peer_, ": its body broke off"));
  }
}

// The connection will not be used again, since it is still `writing_`.
void Connection::GiveRequestUp() {
  const auto body = std::move(request_body_);
  if (const auto writer = std::move(writer_)) writer->Stop();
}

void Connection::OnBodyWanted() {
  if (!open_) {
    ArrivingBody* const answer = std::exchange(answer_, nullptr);
    return answer->OnEnd({}, absl::UnavailableError("the client is gone"));
  }
  std::string piece = parser_.TakePiece();
  if (!piece.empty()) return answer_->OnPiece(std::move(piece));
  if (!reading_) Read();
}

void Connection::OnBodyGivenUp() {
  answer_ = nullptr;
  Release(false);
}

// A part of a streamed answer has come.
void Connection::PassOn() {
  if (answer_ != nullptr) {
    std::string piece = parser_.TakePiece();
    if (!piece.empty()) answer_->OnPiece(std::move(piece));
    return;
  }
  auto answer =
      std::make_unique<ArrivingBody>(shared_from_this(), parser_.length());
  answer_ = answer.get();
  HttpResponse head = parser_.TakeHead();
  head.stream = std::move(answer);
  Done done = std::move(done_);
  done_ = nullptr;
  std::move(done)(std::move(head), false);
}

void Connection::EndAnswer(HttpOutcome outcome, bool reusable) {
  const auto self = shared_from_this();
  ArrivingBody* const answer = std::exchange(answer_, nullptr);
  absl::Status end;
  std::string rest;
  if (auto* error = std::get_if<HttpError>(&outcome)) {
    rest = parser_.TakePiece();
    end = absl::UnavailableError(error->message);
  } else {
    rest = std::get<HttpResponse>(std::move(outcome)).body;
  }
  // The next request may start on this connection at once.
  Release(reusable);
  answer->OnEnd(std::move(rest), std::move(end));
}

void Connection::Release(bool reusable) {
  Released released = std::move(released_);
  released_ = nullptr;
  if (released) std::move(released)(reusable);
}

}  // namespace coord
