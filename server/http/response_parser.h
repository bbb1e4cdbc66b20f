// Turns the bytes of one connection into answers.
#ifndef SERVER_HTTP_RESPONSE_PARSER_H_
#define SERVER_HTTP_RESPONSE_PARSER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/http/message.h"
#include "server/http/transport.h"

namespace coord {

// What a header block or a line of a chunked body may hold at the most.
inline constexpr std::size_t kMaxResponseHeaderBytes = 64 << 10;

// A thin layer on Beast's parser that fills an HttpResponse. Interim answers
// (1xx) are skipped, trailers dropped.
class ResponseParser {
 public:
  enum class Progress { kNeedMore, kDone, kFailed };

  ResponseParser();
  ~ResponseParser();

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
  bool got_header() const;
  // Once done: whether the connection may carry another request.
  bool keep_alive() const;
  // Once done. The body is what TakePiece has not taken.
  HttpResponse TakeResponse();

  // Whether a final answer's headers are complete, and it is one of those that
  // are streamed.
  bool streamed() const;
  // Once streamed: status and headers, and then what has come of the body.
  HttpResponse TakeHead();
  std::optional<std::uint64_t> length() const;
  std::string TakePiece();

  // Once failed.
  HttpError::Kind error_kind() const;
  const std::string& error() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace coord

#endif  // SERVER_HTTP_RESPONSE_PARSER_H_
