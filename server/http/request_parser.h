// Turns the bytes of one connection into requests.
#ifndef SERVER_HTTP_REQUEST_PARSER_H_
#define SERVER_HTTP_REQUEST_PARSER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/http/listener.h"

namespace coord {

// Longer bodies are streamed where they may be.
inline constexpr std::uint64_t kMaxHeldBodyBytes = 64 << 10;

// A thin layer on Beast's parser that is stricter than it: one framing, one
// each of the headers that must be single, no folded lines, targets of
// IsTargetCharacter that are a path or an http URL, whose path counts. Empty
// lines before a request are skipped, trailers dropped.
class RequestParser {
 public:
  enum class Progress { kNeedMore, kDone, kFailed };

  // `may_stream` (nullptr: none) judges heads whose body is chunked or longer
  // than kMaxHeldBodyBytes or `max_body_bytes`, which is for all others.
  RequestParser(std::size_t max_header_bytes, std::size_t max_body_bytes,
                MayStream may_stream = nullptr);
  ~RequestParser();

  // Gets ready for the next request.
  void Start();

  // Takes bytes from the front of `data`; `taken` tells how many. What was not
  // taken comes first in the next call, with more behind it.
  Progress Parse(std::string_view data, std::size_t& taken);

  // Whether a byte of a request has come; an empty line is none.
  bool begun() const;
  // Whether the client waits for `100 Continue` before it sends the body.
  bool wants_continue() const;
  // Once done, and without the peer.
  HttpServerRequest TakeRequest();

  // What has come of a body, until it is taken.
  std::size_t body_bytes() const;

  // Whether the head is complete and the body is one that is streamed.
  bool streamed() const;
  // Once streamed: the request without its body, and then what has come of it.
  HttpServerRequest TakeHead();
  std::optional<std::uint64_t> length() const;
  std::string TakePiece();

  // Once the head is complete.
  bool keep_alive() const;
  // HTTP/1.0, where keeping the connection must be said.
  bool old_version() const;

  // Once failed: how to answer.
  int error_status() const;
  const std::string& error() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace coord

#endif  // SERVER_HTTP_REQUEST_PARSER_H_
