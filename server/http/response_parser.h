// Turns the bytes of one connection into answers.
#ifndef SERVER_HTTP_RESPONSE_PARSER_H_
#define SERVER_HTTP_RESPONSE_PARSER_H_

#include <cstddef>
#include <memory>
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
  void Start(bool to_head, std::size_t max_body_bytes);

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
  // Once done.
  HttpResponse TakeResponse();

  // Once failed.
  HttpError::Kind error_kind() const;
  const std::string& error() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace coord

#endif  // SERVER_HTTP_RESPONSE_PARSER_H_
