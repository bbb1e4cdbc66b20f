#include "server/http/response_parser.h"
#include "tests/fuzz/http_pieces.h"

namespace coord {
namespace {

constexpr std::size_t kMaxBody = 256;

using Progress = ResponseParser::Progress;

// The server closes.
Progress End(ResponseParser& parser, Progress progress) {
  return progress == Progress::kNeedMore ? parser.ParseEnd() : progress;
}

// Where a message ends must not depend on how its bytes arrive.
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
  if (progress == Progress::kFailed) return;
  Must(taken_whole == taken_pieces);
  Must(whole.keep_alive() == pieces.keep_alive());
  const HttpResponse one = whole.TakeResponse();
  const HttpResponse other = pieces.TakeResponse();
  Must(one.status == other.status && one.headers == other.headers &&
       one.body == other.body);
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
