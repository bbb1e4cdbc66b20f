#include "server/http/response_parser.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace coord {
namespace {

constexpr int kMaxInterimAnswers = 100;
// A length that a server announces reserves no more than this: memory comes
// with the bytes, not with the promise.
constexpr std::uint64_t kMaxReserve = 256 << 10;

bool IsAmong(StreamedAnswers streamed, int status) {
  return streamed == StreamedAnswers::kAll ||
         (streamed == StreamedAnswers::kAllBut2xx && status / 100 != 2);
}

absl::Status HeadOverLimit() {
  return absl::ResourceExhaustedError(
      absl::StrCat("headers are over ", kMaxResponseHeaderBytes, " bytes"));
}

absl::Status BodyOverLimit(std::uint64_t limit) {
  return absl::ResourceExhaustedError(
      absl::StrCat("body is over ", limit, " bytes"));
}

}  // namespace

void ResponseParser::Start(bool to_head, std::size_t max_body_bytes,
                           StreamedAnswers streamed) {
  to_head_ = to_head;
  max_body_bytes_ = max_body_bytes;
  streamed_answers_ = streamed;
  stage_ = Stage::kHead;
  head_ = {};
  head_bytes_ = 0;
  interim_answers_ = 0;
  streamed_ = false;
  chunks_ = {};
  body_bytes_ = 0;
  response_ = {};
}

ResponseParser::Progress ResponseParser::Parse(std::string_view data,
                                               std::size_t& taken) {
  taken = 0;
  while (stage_ == Stage::kHead) {
    const std::string_view rest = data.substr(taken);
    const std::optional<HttpLine> line = FirstLine(rest);
    if (!line) {
      const absl::Status status = CheckBeginning(rest);
      return status.ok() ? Progress::kNeedMore : Fail(status);
    }
    taken += line->size;
    head_bytes_ += line->size;
    const absl::Status status = head_bytes_ > kMaxResponseHeaderBytes
                                    ? HeadOverLimit()
                                    : TakeHeadLine(line->text);
    if (!status.ok()) return Fail(status);
  }
  if (stage_ == Stage::kBody) {
    std::size_t size = 0;
    const absl::Status status = TakeBody(data.substr(taken), size);
    taken += size;
    if (!status.ok()) return Fail(status);
  }
  return stage_ == Stage::kDone ? Progress::kDone : Progress::kNeedMore;
}

// One that greets in a protocol of its own may never send a line end.
absl::Status ResponseParser::CheckBeginning(std::string_view line) const {
  const std::size_t begin = std::min(line.find_first_not_of('\r'), line.size());
  if (head_.status() == 0 &&
      !ResponseHead::MayBeStatusLine(line.substr(begin))) {
    return absl::InvalidArgumentError("it is not HTTP");
  }
  return head_bytes_ + line.size() < kMaxResponseHeaderBytes ? absl::OkStatus()
                                                             : HeadOverLimit();
}

absl::Status ResponseParser::TakeHeadLine(std::string_view line) {
  // Some servers send an empty line behind an answer, of which nobody knows
  // when it comes.
  if (line.empty() && head_.status() == 0) return absl::OkStatus();
  if (!line.empty()) return head_.TakeLine(line);
  if (absl::Status status = head_.Finish(to_head_); !status.ok()) {
    return status;
  }
  if (head_.status() / 100 != 1) return BeginBody();
  if (++interim_answers_ > kMaxInterimAnswers) {
    return absl::InvalidArgumentError("interim answers without an end");
  }
  head_ = {};
  head_bytes_ = 0;
  return absl::OkStatus();
}

absl::Status ResponseParser::BeginBody() {
  using Framing = ResponseHead::Framing;
  response_.status = head_.status();
  response_.headers = head_.TakeHeaders();
  streamed_ = IsAmong(streamed_answers_, response_.status);
  if (streamed_) max_body_bytes_ = std::numeric_limits<std::uint64_t>::max();
  const Framing framing = head_.framing();
  const bool empty = framing == Framing::kNoBody ||
                     (framing == Framing::kLength && head_.length() == 0);
  stage_ = empty ? Stage::kDone : Stage::kBody;
  if (framing != Framing::kLength) return absl::OkStatus();
  if (head_.length() > max_body_bytes_) {
    return BodyOverLimit(max_body_bytes_);
  }
  if (!streamed_) {
    response_.body.reserve(std::min(head_.length(), kMaxReserve));
  }
  return absl::OkStatus();
}

absl::Status ResponseParser::TakeBody(std::string_view data,
                                      std::size_t& taken) {
  using Framing = ResponseHead::Framing;
  if (head_.framing() == Framing::kChunked) {
    absl::Status status =
        chunks_.Take(data, max_body_bytes_, taken, response_.body);
    if (chunks_.done()) stage_ = Stage::kDone;
    return status;
  }
  const bool to_length = head_.framing() == Framing::kLength;
  const std::uint64_t left =
      (to_length ? head_.length() : max_body_bytes_) - body_bytes_;
  if (!to_length && data.size() > left) return BodyOverLimit(max_body_bytes_);
  taken = static_cast<std::size_t>(std::min<std::uint64_t>(left, data.size()));
  response_.body.append(data.substr(0, taken));
  body_bytes_ += taken;
  if (to_length && taken == left) stage_ = Stage::kDone;
  return absl::OkStatus();
}

ResponseParser::Progress ResponseParser::ParseEnd() {
  if (stage_ == Stage::kBody &&
      head_.framing() == ResponseHead::Framing::kUntilClosed) {
    stage_ = Stage::kDone;
    return Progress::kDone;
  }
  error_kind_ = HttpError::Kind::kConnectionLost;
  error_ = "connection closed by the server";
  return Progress::kFailed;
}

HttpResponse ResponseParser::TakeResponse() { return std::move(response_); }

HttpResponse ResponseParser::TakeHead() {
  return {response_.status, std::move(response_.headers), {}};
}

std::optional<std::uint64_t> ResponseParser::length() const {
  if (head_.framing() != ResponseHead::Framing::kLength) return std::nullopt;
  return head_.length();
}

std::string ResponseParser::TakePiece() {
  return std::exchange(response_.body, {});
}

ResponseParser::Progress ResponseParser::Fail(const absl::Status& status) {
  if (absl::IsResourceExhausted(status)) {
    error_kind_ = HttpError::Kind::kTooLarge;
    error_ = std::string(status.message());
  } else {
    error_kind_ = HttpError::Kind::kBadResponse;
    error_ = absl::StrCat("malformed answer: ", status.message());
  }
  return Progress::kFailed;
}

}  // namespace coord
