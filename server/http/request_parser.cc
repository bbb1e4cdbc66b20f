#include "server/http/request_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/optional.hpp>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/request_target.h"
#include "common/text_view.h"
#include "common/url.h"
#include "server/http/single_header.h"

namespace coord {
namespace {

namespace http = boost::beast::http;
using ErrorCode = boost::beast::error_code;
using BeastView = boost::beast::string_view;

constexpr std::uint64_t kMaxReserve = 64 << 10;

// Takes `http://host:port` off the front of a target in absolute form (RFC
// 9112, 3.2.2), which names a server in place of the Host header; no request is
// judged by either. False: that is no such beginning.
bool SkipOrigin(std::string_view& target) {
  const std::size_t scheme = target.find("://");
  if (scheme == std::string_view::npos) return false;
  const std::size_t end =
      std::min(target.find_first_of("/?", scheme + 3), target.size());
  if (!ParseBaseUrl(target.substr(0, end)).ok()) return false;
  target.remove_prefix(end);
  return true;
}

class Parser final : public http::basic_parser<true> {
 public:
  Parser(std::size_t max_header_bytes, std::size_t max_body_bytes,
         const MayStream& may_stream)
      : max_framing_bytes_(static_cast<std::ptrdiff_t>(max_header_bytes)),
        max_body_bytes_(max_body_bytes),
        may_stream_(may_stream) {
    eager(true);
    header_limit(static_cast<std::uint32_t>(max_header_bytes));
    body_limit(boost::none);  // until the head is complete
  }

  HttpServerRequest& request() { return request_; }
  const HttpServerRequest& request() const { return request_; }
  bool old_version() const { return !http11_; }
  bool expects_continue() const { return expects_continue_; }
  bool streamed() const { return streamed_; }

  // What comes before `text` is dealt with.
  void Begin(const char* text) { payload_end_ = text; }
  // Whether there is too much framing before `text`: a chunk's size and
  // extensions, or trailers.
  bool IsTooMuch(const char* text) const {
    return text - payload_end_ >= max_framing_bytes_;
  }

  // Set where Beast's own codes say too little.
  const std::string& complaint() const { return complaint_; }

 private:
  void on_request_impl(http::verb, BeastView method, BeastView target,
                       int version, ErrorCode& ec) override {
    http11_ = version >= 11;
    request_.method = std::string(method);
    if (!TakeTarget({target.data(), target.size()})) {
      Complain(
          "target must be an escaped path that starts with /, or an http URL",
          ec);
    }
  }

  bool TakeTarget(std::string_view target) {
    if (!std::all_of(target.begin(), target.end(), IsTargetCharacter) ||
        (target.front() != '/' && !SkipOrigin(target))) {
      return false;
    }
    const std::size_t mark = std::min(target.find('?'), target.size());
    request_.path = mark == 0 ? "/" : std::string(target.substr(0, mark));
    if (mark < target.size()) request_.query = target.substr(mark + 1);
    return true;
  }

  void on_field_impl(http::field field, BeastView name, BeastView value,
                     ErrorCode& ec) override {
    if (is_header_done()) return;
    if (IsSingleHeader({name.data(), name.size()}) && Has(name)) {
      const absl::string_view repeated(name.data(), name.size());
      return Complain(absl::StrCat("more than one ",
                                   absl::AsciiStrToLower(repeated), " header"),
                      ec);
    }
    switch (field) {
      case http::field::transfer_encoding:
        // Beast takes other codings for a request without a body: the rest of
        // it would be the next request.
        if (!http11_ || !absl::EqualsIgnoreCase(AbslView(value), "chunked")) {
          return Complain("transfer-encoding other than chunked", ec);
        }
        break;
      case http::field::expect:
        expects_continue_ =
            http11_ && absl::EqualsIgnoreCase(AbslView(value), "100-continue");
        break;
      default:
        break;
    }
    request_.headers.push_back({std::string(name), std::string(value)});
  }

  void on_header_impl(ErrorCode& ec) override {
    if (http11_ && !Has("host")) return Complain("no host header", ec);
    const std::uint64_t length = content_length().value_or(0);
    const bool is_long =
        length > std::min<std::uint64_t>(kMaxHeldBodyBytes, max_body_bytes_);
    streamed_ = (is_long || chunked()) && may_stream_ && may_stream_(request_);
    if (streamed_) return;
    body_limit(max_body_bytes_);
    if (length > max_body_bytes_) ec = http::error::body_limit;
  }

  void on_body_init_impl(const boost::optional<std::uint64_t>& length,
                         ErrorCode&) override {
    if (streamed_ || !length) return;
    request_.body.reserve(std::min(*length, kMaxReserve));
  }

  std::size_t on_body_impl(BeastView data, ErrorCode&) override {
    request_.body.append(data.data(), data.size());
    payload_end_ = data.data() + data.size();
    return data.size();
  }

  void on_response_impl(int, BeastView, int, ErrorCode&) override {}
  void on_chunk_header_impl(std::uint64_t, BeastView, ErrorCode&) override {}

  std::size_t on_chunk_body_impl(std::uint64_t, BeastView data,
                                 ErrorCode& ec) override {
    if (IsTooMuch(data.data())) {
      ec = http::error::bad_chunk;
      return 0;
    }
    return on_body_impl(data, ec);
  }

  void on_finish_impl(ErrorCode&) override {}

  bool Has(BeastView name) const {
    return std::any_of(request_.headers.begin(), request_.headers.end(),
                       [name](const HttpHeader& header) {
                         return boost::beast::iequals(header.name, name);
                       });
  }

  void Complain(std::string complaint, ErrorCode& ec) {
    complaint_ = std::move(complaint);
    ec = http::error::bad_field;
  }

  const std::ptrdiff_t max_framing_bytes_;
  const std::uint64_t max_body_bytes_;
  const MayStream& may_stream_;
  const char* payload_end_ = nullptr;
  bool streamed_ = false;
  bool http11_ = true;
  bool expects_continue_ = false;
  std::string complaint_;
  HttpServerRequest request_;
};

}  // namespace

class RequestParser::Impl {
 public:
  Impl(std::size_t max_header_bytes, std::size_t max_body_bytes,
       MayStream may_stream)
      : max_header_bytes_(max_header_bytes),
        max_body_bytes_(max_body_bytes),
        may_stream_(std::move(may_stream)) {
    Start();
  }

  void Start() {
    scanned_ = 0;
    taken_ = 0;
    parser_.emplace(max_header_bytes_, max_body_bytes_, may_stream_);
  }

  Progress Parse(std::string_view data, std::size_t& taken) {
    taken = begun() ? 0 : SkipEmptyLines(data);
    if (!begun() && (data.empty() || data == "\r")) return Progress::kNeedMore;
    std::size_t header_end = 0;
    if (!parser_->is_header_done() && !CheckLines(data, header_end)) {
      return Progress::kFailed;
    }
    parser_->Begin(data.data() + header_end);
    ErrorCode ec;
    const std::size_t parsed =
        parser_->put(boost::asio::buffer(data.data(), data.size()), ec);
    taken += parsed;
    scanned_ -= std::min(scanned_, parsed);
    taken_ += parsed;
    if (ec && ec != http::error::need_more) return Fail(ec);
    const bool done = parser_->is_done();
    if (parser_->IsTooMuch(data.data() + (done ? parsed : data.size()))) {
      return Fail(http::error::bad_chunk);
    }
    return done ? Progress::kDone : Progress::kNeedMore;
  }

  bool begun() const { return taken_ + scanned_ > 0; }
  bool wants_continue() const {
    return parser_->is_header_done() && !parser_->is_done() &&
           parser_->expects_continue();
  }
  HttpServerRequest TakeRequest() { return std::move(parser_->request()); }
  std::size_t body_bytes() const { return parser_->request().body.size(); }
  bool streamed() const {
    return parser_->is_header_done() && parser_->streamed();
  }
  HttpServerRequest TakeHead() {
    HttpServerRequest head = std::move(parser_->request());
    parser_->request().body = std::exchange(head.body, {});
    return head;
  }
  std::optional<std::uint64_t> length() const {
    const auto length = parser_->content_length();
    return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
  }
  std::string TakePiece() { return std::exchange(parser_->request().body, {}); }
  bool keep_alive() const { return parser_->keep_alive(); }
  bool old_version() const { return parser_->old_version(); }
  int error_status() const { return error_status_; }
  const std::string& error() const { return error_; }

 private:
  // RFC 9112, 2.2: they are no part of a request. Some clients send one behind
  // a body.
  static std::size_t SkipEmptyLines(std::string_view& data) {
    std::size_t size = 0;
    while (data.substr(size, 2) == "\r\n") size += 2;
    data.remove_prefix(size);
    return size;
  }

  // Refuses what Beast puts up with or waits on: folded header lines, lines
  // that end in a bare LF, and headers that are too large, of which it counts
  // only what it has not taken yet. `header_end`: of `data`, where the body
  // begins.
  bool CheckLines(std::string_view data, std::size_t& header_end) {
    header_end = data.size();
    while (scanned_ < data.size()) {
      const std::size_t lf = data.find('\n', scanned_);
      if (lf == std::string_view::npos) {
        scanned_ = data.size();
        break;
      }
      if (lf == 0 || data[lf - 1] != '\r') {
        return Refuse(400, "line ends without a carriage return");
      }
      // The empty line: what follows is the body.
      if (lf == 1 || data[lf - 2] == '\n') {
        header_end = lf + 1;
        break;
      }
      if (lf + 1 == data.size()) {
        scanned_ = lf;
        break;
      }
      if (data[lf + 1] == ' ' || data[lf + 1] == '\t') {
        return Refuse(400, "folded header line");
      }
      scanned_ = lf + 1;
    }
    return taken_ + header_end <= max_header_bytes_ || RefuseHeaders();
  }

  Progress Fail(ErrorCode ec) {
    if (ec == http::error::body_limit) {
      Refuse(413, absl::StrCat("body is over ", max_body_bytes_, " bytes"));
    } else if (ec == http::error::header_limit) {
      RefuseHeaders();
    } else if (!parser_->complaint().empty()) {
      Refuse(400, parser_->complaint());
    } else {
      Refuse(400, absl::StrCat("malformed request: ", ec.message()));
    }
    return Progress::kFailed;
  }

  bool RefuseHeaders() {
    return Refuse(
        431, absl::StrCat("headers are over ", max_header_bytes_, " bytes"));
  }

  bool Refuse(int status, std::string message) {
    error_status_ = status;
    error_ = std::move(message);
    return false;
  }

  const std::size_t max_header_bytes_;
  const std::size_t max_body_bytes_;
  const MayStream may_stream_;
  std::optional<Parser> parser_;
  // Bytes of the next call's data that CheckLines has seen.
  std::size_t scanned_ = 0;
  std::size_t taken_ = 0;  // of this request, in earlier calls
  int error_status_ = 400;
  std::string error_;
};

RequestParser::RequestParser(std::size_t max_header_bytes,
                             std::size_t max_body_bytes, MayStream may_stream)
    : impl_(std::make_unique<Impl>(max_header_bytes, max_body_bytes,
                                   std::move(may_stream))) {}
RequestParser::~RequestParser() = default;

void RequestParser::Start() { impl_->Start(); }

RequestParser::Progress RequestParser::Parse(std::string_view data,
                                             std::size_t& taken) {
  return impl_->Parse(data, taken);
}

bool RequestParser::begun() const { return impl_->begun(); }
bool RequestParser::wants_continue() const { return impl_->wants_continue(); }
HttpServerRequest RequestParser::TakeRequest() { return impl_->TakeRequest(); }
std::size_t RequestParser::body_bytes() const { return impl_->body_bytes(); }
bool RequestParser::streamed() const { return impl_->streamed(); }
HttpServerRequest RequestParser::TakeHead() { return impl_->TakeHead(); }
std::optional<std::uint64_t> RequestParser::length() const {
  return impl_->length();
}
std::string RequestParser::TakePiece() { return impl_->TakePiece(); }
bool RequestParser::keep_alive() const { return impl_->keep_alive(); }
bool RequestParser::old_version() const { return impl_->old_version(); }
int RequestParser::error_status() const { return impl_->error_status(); }
const std::string& RequestParser::error() const { return impl_->error(); }

}  // namespace coord
