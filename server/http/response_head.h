// The head of an answer, as RFC 9112 defines it and as curl reads it.
#ifndef SERVER_HTTP_RESPONSE_HEAD_H_
#define SERVER_HTTP_RESPONSE_HEAD_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "server/http/message.h"

namespace coord {

// What a head, a line of a chunked body, or the trailers behind one may hold at
// the most.
inline constexpr std::size_t kMaxResponseHeaderBytes = 64 << 10;

// A line at the front of what has come.
struct HttpLine {
  std::string_view text;  // without its end
  std::size_t size = 0;   // with it
  bool bare_lf = false;   // ended by LF alone
};

// Nothing while the line is not whole. A line ends in LF, and the CRs before it
// belong to its end: some servers send two.
std::optional<HttpLine> FirstLine(std::string_view bytes);

// One head, taken line by line. What careless servers send is understood where
// its meaning is plain: a status line without a reason phrase, or with more
// than one space before the code; folded lines; blanks before a colon; control
// characters in values, which become spaces. A field whose name is no token is
// left out: it can't be passed on. What leaves in doubt where the body ends is
// refused.
class ResponseHead {
 public:
  // How the end of the body is found (RFC 9112, 6.3).
  enum class Framing { kNoBody, kLength, kChunked, kUntilClosed };

  // Whether `bytes`, a line that is not whole, may become a status line.
  static bool MayBeStatusLine(std::string_view bytes);

  // Takes the next line, without its end; the first is the status line, the
  // empty one that ends the head is not taken.
  // Errors: INVALID_ARGUMENT with what is wrong; nothing more is taken then.
  absl::Status TakeLine(std::string_view line);

  // Once all lines were taken. `to_head`: the answer is one to HEAD.
  // Errors: INVALID_ARGUMENT with what is wrong.
  absl::Status Finish(bool to_head);

  // 0 before the status line.
  int status() const { return status_; }
  HttpHeaders TakeHeaders() { return std::move(headers_); }

  // Once finished.
  Framing framing() const { return framing_; }
  std::uint64_t length() const { return length_.value_or(0); }
  // Whether the connection may carry another request.
  bool keep_alive() const { return keep_alive_; }

 private:
  absl::Status TakeStatusLine(std::string_view line);
  absl::Status TakeField(std::string_view line);
  void Fold(std::string_view line);
  absl::Status ReadFraming(const HttpHeader& header);
  absl::Status ReadLength(std::string_view value);
  absl::Status ReadCodings(std::string_view value);

  int status_ = 0;
  bool http11_ = false;
  HttpHeaders headers_;
  bool left_out_ = false;  // the last field

  bool close_ = false;
  bool stay_ = false;
  bool chunked_ = false;
  std::optional<std::uint64_t> length_;
  Framing framing_ = Framing::kNoBody;
  bool keep_alive_ = false;
};

}  // namespace coord

#endif  // SERVER_HTTP_RESPONSE_HEAD_H_
