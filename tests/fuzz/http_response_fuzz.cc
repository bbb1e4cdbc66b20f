#include <string>
#include <string_view>
#include <utility>

#include "server/http/response_parser.h"
#include "tests/fuzz/http_pieces.h"

namespace coord {
namespace {

constexpr std::size_t kMaxBody = 256;

using Progress = ResponseParser::Progress;

// A parser whose body is taken as it comes.
class Streamed {
 public:
  using Progress = ResponseParser::Progress;

  explicit Streamed(bool to_head) {
    parser_.Start(to_head, 0, StreamedAnswers::kAll);
  }

  Progress Parse(std::string_view data, std::size_t& taken) {
    const Progress progress = parser_.Parse(data, taken);
    if (parser_.streamed()) body_ += parser_.TakePiece();
    return progress;
  }
  Progress ParseEnd() { return parser_.ParseEnd(); }

  bool keep_alive() const { return parser_.keep_alive(); }
  HttpResponse TakeResponse() {
    HttpResponse response = parser_.TakeResponse();
    Must(response.body.empty());
    response.body = std::move(body_);
    return response;
  }

 private:
  ResponseParser parser_;
  std::string body_;
};

// The server closes.
template <typename Parser>
Progress End(Parser& parser, Progress progress) {
  return progress == Progress::kNeedMore ? parser.ParseEnd() : progress;
}

void CheckSame(const HttpResponse& one, const HttpResponse& other) {
  Must(one.status == other.status && one.headers == other.headers &&
       one.body == other.body);
}

// Where a message ends must not depend on how its bytes arrive, nor on how its
// body is taken.
void Check(std::string_view bytes, std::size_t piece, bool to_head) {
  ResponseParser whole;
  ResponseParser pieces;
  whole.Start(to_head, kMaxBody);
  pieces.Start(to_head, kMaxBody);
  std::size_t taken_whole = 0;
  std::size_t taken_pieces = 0;
  const Progress progress =
      End(whole, ParseInPieces(whole, bytes, bytes.size() + 1, taken_whole));
  // What is wrong may show later in pieces, but it shows.
  Must(progress ==
       End(pieces, ParseInPieces(pieces, bytes, piece, taken_pieces)));
  Streamed streamed(to_head);
  std::size_t taken_streamed = 0;
  const Progress streamed_progress =
      End(streamed, ParseInPieces(streamed, bytes, piece, taken_streamed));
  if (progress == Progress::kFailed) return;
  Must(streamed_progress == progress);
  Must(taken_whole == taken_pieces && taken_whole == taken_streamed);
  Must(whole.keep_alive() == pieces.keep_alive());
  Must(whole.keep_alive() == streamed.keep_alive());
  const HttpResponse one = whole.TakeResponse();
  CheckSame(one, pieces.TakeResponse());
  CheckSame(one, streamed.TakeResponse());
  Must(one.status >= 200 && one.body.size() <= kMaxBody);
  Must(!to_head || one.body.empty());
}

}  // namespace
}  // namespace coord

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  if (size == 0) return 0;
  coord::Check(coord::Input(data + 1, size - 1), std::size_t{data[0]} % 16 + 1,
               data[0] >= 0xf0);
  return 0;
}
