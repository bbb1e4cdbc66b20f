// Turns the bytes of one connection into answers.
#ifndef SERVER_HTTP_RESPONSE_PARSER_H_
#define SERVER_HTTP_RESPONSE_PARSER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "server/http/chunked_body.h"
#include "server/http/message.h"
#include "server/http/response_head.h"
#include "server/http/transport.h"

namespace coord {

// Interim answers (1xx) are skipped, trailers dropped. Servers that curl reads
// must not look dead here, which is why this is no strict parser; see
// ResponseHead and ChunkedBody for what it forgives.
class ResponseParser {
 public:
  enum class Progress { kNeedMore, kDone, kFailed };

  // Gets ready for the answer to one request; `to_head`: to a HEAD request.
  // `max_body_bytes` is for answers that are not `streamed`.
  void Start(bool to_head, std::size_t max_body_bytes,
             StreamedAnswers streamed = StreamedAnswers::kNone);

  // Takes bytes from the front of `data`; `taken` tells how many. What was not
  // taken comes first in the next call, with more behind it.
  Progress Parse(std::string_view data, std::size_t& taken);

  // The server has closed: the end of an answer without a length, a failure
  // in the middle of any other.
  Progress ParseEnd();

  // Whether a final answer's headers are complete.
  bool got_header() const { return stage_ != Stage::kHead; }
  // Once done: whether the connection may carry another request.
  bool keep_alive() const { return head_.keep_alive(); }
  // Once done. The body is what TakePiece has not taken.
  HttpResponse TakeResponse();

  // Whether a final answer's headers are complete, and it is one of those that
  // are streamed.
  bool streamed() const { return streamed_; }
  // Once streamed: status and headers, and then what has come of the body.
  HttpResponse TakeHead();
  std::optional<std::uint64_t> length() const;
  std::string TakePiece();

  // Once failed.
  HttpError::Kind error_kind() const { return error_kind_; }
  const std::string& error() const { return error_; }

 private:
  enum class Stage { kHead, kBody, kDone };

  absl::Status TakeHeadLine(std::string_view line);
  absl::Status BeginBody();
  // Whether a head that is not whole can't become one any more.
  absl::Status CheckBeginning(std::string_view line) const;
  absl::Status TakeBody(std::string_view data, std::size_t& taken);
  Progress Fail(const absl::Status& status);

  bool to_head_ = false;
  std::uint64_t max_body_bytes_ = 0;
  StreamedAnswers streamed_answers_ = StreamedAnswers::kNone;

  Stage stage_ = Stage::kHead;
  ResponseHead head_;
  std::size_t head_bytes_ = 0;
  int interim_answers_ = 0;
  bool streamed_ = false;
  ChunkedBody chunks_;
  std::uint64_t body_bytes_ = 0;  // have come, of a body without chunks
  HttpResponse response_;

  HttpError::Kind error_kind_ = HttpError::Kind::kBadResponse;
  std::string error_;
};

}  // namespace coord

#endif  // SERVER_HTTP_RESPONSE_PARSER_H_
