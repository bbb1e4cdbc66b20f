#include "server/http/response_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/optional.hpp>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/text_view.h"

namespace coord {
namespace {

namespace http = boost::beast::http;
using ErrorCode = boost::beast::error_code;
using BeastView = boost::beast::string_view;

constexpr int kMaxInterimAnswers = 32;
// A length that a server announces reserves no more than this: memory comes
// with the bytes, not with the promise.
constexpr std::uint64_t kMaxReserve = 256 << 10;
constexpr std::size_t kUsualHeaders = 8;

bool IsAmong(StreamedAnswers streamed, int status) {
  return status / 100 != 1 && streamed != StreamedAnswers::kNone &&
         (streamed == StreamedAnswers::kAll || status / 100 != 2);
}

class Parser final : public http::basic_parser<false> {
 public:
  Parser(bool to_head, std::size_t max_body_bytes, StreamedAnswers streamed)
      : streamed_answers_(streamed) {
    eager(true);
    skip(to_head);
    header_limit(kMaxResponseHeaderBytes);
    body_limit(max_body_bytes);
  }

  HttpResponse& response() { return response_; }
  bool interim() const { return response_.status / 100 == 1; }
  bool streamed() const { return streamed_; }

 private:
  void on_request_impl(http::verb, BeastView, BeastView, int,
                       ErrorCode&) override {}

  void on_response_impl(int status, BeastView, int version,
                        ErrorCode& ec) override {
    response_.status = status;
    response_.headers.reserve(kUsualHeaders);
    http11_ = version >= 11;
    if (status < 100 || status == 101) ec = http::error::bad_status;
    streamed_ = IsAmong(streamed_answers_, status);
    if (streamed_) body_limit(boost::none);
  }

  void on_field_impl(http::field field, BeastView name, BeastView value,
                     ErrorCode& ec) override {
    if (is_header_done()) return;
    // Beast limits what it has not taken yet, not the whole.
    header_bytes_ += name.size() + value.size() + 4;
    if (header_bytes_ > kMaxResponseHeaderBytes) {
      ec = http::error::header_limit;
      return;
    }
    // Beast takes other codings for a body without any.
    if (field == http::field::transfer_encoding &&
        (!http11_ || !absl::EqualsIgnoreCase(AbslView(value), "chunked"))) {
      ec = http::error::bad_transfer_encoding;
      return;
    }
    response_.headers.push_back({std::string(name), std::string(value)});
  }

  void on_header_impl(ErrorCode&) override {}

  void on_body_init_impl(const boost::optional<std::uint64_t>& length,
                         ErrorCode&) override {
    if (streamed_ || !length) return;
    response_.body.reserve(std::min(*length, kMaxReserve));
  }

  std::size_t on_body_impl(BeastView data, ErrorCode&) override {
    response_.body.append(data.data(), data.size());
    return data.size();
  }

  void on_chunk_header_impl(std::uint64_t, BeastView, ErrorCode&) override {}

  std::size_t on_chunk_body_impl(std::uint64_t, BeastView data,
                                 ErrorCode&) override {
    response_.body.append(data.data(), data.size());
    return data.size();
  }

  void on_finish_impl(ErrorCode&) override {}

  const StreamedAnswers streamed_answers_;
  bool streamed_ = false;
  bool http11_ = false;
  std::size_t header_bytes_ = 0;
  HttpResponse response_;
};

}  // namespace

class ResponseParser::Impl {
 public:
  void Start(bool to_head, std::size_t max_body_bytes,
             StreamedAnswers streamed) {
    to_head_ = to_head;
    max_body_bytes_ = max_body_bytes;
    streamed_answers_ = streamed;
    interim_answers_ = 0;
    got_header_ = false;
    parser_.emplace(to_head, max_body_bytes, streamed);
  }

  Progress Parse(std::string_view data, std::size_t& taken) {
    taken = 0;
    for (;;) {
      ErrorCode ec;
      const std::size_t n = parser_->put(
          boost::asio::buffer(data.data() + taken, data.size() - taken), ec);
      taken += n;
      got_header_ = parser_->is_header_done() && !parser_->interim();
      if (ec && ec != http::error::need_more) return Fail(ec);
      if (parser_->is_done() && !parser_->interim()) return Progress::kDone;
      if (!parser_->is_done()) {
        if (data.size() - taken < kMaxResponseHeaderBytes) {
          return Progress::kNeedMore;
        }
        return Fail(got_header_ ? http::error::bad_chunk
                                : http::error::header_limit);
      }
      if (++interim_answers_ > kMaxInterimAnswers) {
        return Fail(http::error::bad_status);
      }
      parser_.emplace(to_head_, max_body_bytes_, streamed_answers_);
      if (taken == data.size()) return Progress::kNeedMore;
    }
  }

  Progress ParseEnd() {
    ErrorCode ec = http::error::end_of_stream;
    if (parser_->got_some()) parser_->put_eof(ec);
    if (!ec) return Progress::kDone;
    error_kind_ = HttpError::Kind::kConnectionLost;
    error_ = "connection closed by the server";
    return Progress::kFailed;
  }

  bool got_header() const { return got_header_; }
  bool keep_alive() const { return parser_->keep_alive(); }
  HttpResponse TakeResponse() { return std::move(parser_->response()); }
  bool streamed() const { return got_header_ && parser_->streamed(); }
  HttpResponse TakeHead() {
    HttpResponse& response = parser_->response();
    return {response.status, std::move(response.headers), {}};
  }
  std::optional<std::uint64_t> length() const {
    const auto length = parser_->content_length();
    return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
  }
  std::string TakePiece() {
    return std::exchange(parser_->response().body, {});
  }
  HttpError::Kind error_kind() const { return error_kind_; }
  const std::string& error() const { return error_; }

 private:
  Progress Fail(ErrorCode ec) {
    if (ec == http::error::body_limit) {
      error_kind_ = HttpError::Kind::kTooLarge;
      error_ = absl::StrCat("body is over ", max_body_bytes_, " bytes");
    } else if (ec == http::error::header_limit) {
      error_kind_ = HttpError::Kind::kTooLarge;
      error_ =
          absl::StrCat("headers are over ", kMaxResponseHeaderBytes, " bytes");
    } else {
      error_kind_ = HttpError::Kind::kBadResponse;
      error_ = absl::StrCat("malformed answer: ", ec.message());
    }
    return Progress::kFailed;
  }

  bool to_head_ = false;
  std::size_t max_body_bytes_ = 0;
  StreamedAnswers streamed_answers_ = StreamedAnswers::kNone;
  int interim_answers_ = 0;
  bool got_header_ = false;
  std::optional<Parser> parser_;
  HttpError::Kind error_kind_ = HttpError::Kind::kBadResponse;
  std::string error_;
};

ResponseParser::ResponseParser() : impl_(std::make_unique<Impl>()) {}
ResponseParser::~ResponseParser() = default;

void ResponseParser::Start(bool to_head, std::size_t max_body_bytes,
                           StreamedAnswers streamed) {
  impl_->Start(to_head, max_body_bytes, streamed);
}

ResponseParser::Progress ResponseParser::Parse(std::string_view data,
                                               std::size_t& taken) {
  return impl_->Parse(data, taken);
}

ResponseParser::Progress ResponseParser::ParseEnd() {
  return impl_->ParseEnd();
}

bool ResponseParser::got_header() const { return impl_->got_header(); }
bool ResponseParser::keep_alive() const { return impl_->keep_alive(); }
HttpResponse ResponseParser::TakeResponse() { return impl_->TakeResponse(); }
bool ResponseParser::streamed() const { return impl_->streamed(); }
HttpResponse ResponseParser::TakeHead() { return impl_->TakeHead(); }
std::optional<std::uint64_t> ResponseParser::length() const {
  return impl_->length();
}
std::string ResponseParser::TakePiece() { return impl_->TakePiece(); }
HttpError::Kind ResponseParser::error_kind() const {
  return impl_->error_kind();
}
const std::string& ResponseParser::error() const { return impl_->error(); }

}  // namespace coord
