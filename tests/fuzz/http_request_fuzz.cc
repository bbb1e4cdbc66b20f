#include "common/request_target.h"
#include "server/http/request_parser.h"
#include "tests/fuzz/http_pieces.h"

namespace coord {
namespace {

constexpr std::size_t kMaxHeader = 512;
constexpr std::size_t kMaxBody = 256;

void CheckRequest(const HttpServerRequest& request) {
  Must(request.path.front() == '/');
  Must(EscapeTarget(request.path) == request.path);
  Must(EscapeTarget(request.query) == request.query);
  Must(request.body.size() <= kMaxBody);
  Must(FindHeader(request.headers, "transfer-encoding").empty() ||
       FindHeader(request.headers, "content-length").empty());
  for (const HttpHeader& header : request.headers) {
    Must(header.value.find_first_of("\r\n") == std::string::npos);
  }
}

// Where a message ends must not depend on how its bytes arrive.
void Check(std::string_view bytes, std::size_t piece) {
  RequestParser whole(kMaxHeader, kMaxBody);
  RequestParser pieces(kMaxHeader, kMaxBody);
  std::size_t taken_whole = 0;
  std::size_t taken_pieces = 0;
  const bool done =
      ParseInPieces(whole, bytes, bytes.size() + 1, taken_whole) ==
      RequestParser::Progress::kDone;
  // What is wrong may show later in pieces, but it shows.
  Must(done == (ParseInPieces(pieces, bytes, piece, taken_pieces) ==
                RequestParser::Progress::kDone));
  if (!done) return;
  Must(taken_whole == taken_pieces);
  Must(whole.keep_alive() == pieces.keep_alive());
  const HttpServerRequest one = whole.TakeRequest();
  const HttpServerRequest other = pieces.TakeRequest();
  Must(one.method == other.method && one.path == other.path &&
       one.query == other.query && one.headers == other.headers &&
       one.body == other.body);
  CheckRequest(one);
  RequestParser streamed(kMaxHeader, kMaxBody,
                         [](const HttpServerRequest&) { return true; });
  std::size_t taken_streamed = 0;
  Must(ParseInPieces(streamed, bytes, piece, taken_streamed) ==
       RequestParser::Progress::kDone);
  Must(taken_streamed == taken_whole && streamed.TakePiece() == one.body);
}

}  // namespace
}  // namespace coord

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  if (size == 0) return 0;
  coord::Check(coord::Input(data + 1, size - 1), std::size_t{data[0]} % 16 + 1);
  return 0;
}
