#include "server/http/response_head.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "common/text_view.h"

namespace coord {
namespace {

constexpr std::string_view kProtocol = "HTTP/1.";
constexpr std::size_t kUsualHeaders = 8;

absl::Status Malformed(const char* what) {
  return absl::InvalidArgumentError(what);
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsBlank(char c) { return c == ' ' || c == '\t'; }

bool IsControl(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && byte != '\t') || byte == 0x7f;
}

// Whether any byte of `word` is below `limit`, which is 128 at the most.
bool AnyIsBelow(std::uint64_t word, std::uint64_t limit) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  return ((word - kOnes * limit) & ~word & (kOnes << 7)) != 0;
}

// False only where no control character is. Looks at eight bytes at a time,
// since nearly all lines have none.
bool MayHaveControls(std::string_view text) {
  constexpr std::uint64_t kDeletes = 0x7f7f7f7f7f7f7f7f;
  for (; text.size() >= 8; text.remove_prefix(8)) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data(), 8);
    if (AnyIsBelow(word, 0x20) || AnyIsBelow(word ^ kDeletes, 1)) return true;
  }
  return std::any_of(text.begin(), text.end(), IsControl);
}

// RFC 9110, 5.6.2.
constexpr std::array<bool, 256> TokenCharacters() {
  std::array<bool, 256> is_token{};
  for (const char c : std::string_view("!#$%&'*+-.^_`|~0123456789"
                                       "abcdefghijklmnopqrstuvwxyz"
                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ")) {
    is_token[static_cast<unsigned char>(c)] = true;
  }
  return is_token;
}

bool IsToken(std::string_view text) {
  static constexpr std::array<bool, 256> kIsToken = TokenCharacters();
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return kIsToken[static_cast<unsigned char>(c)];
  });
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsBlank(text.back())) text.remove_suffix(1);
  return text;
}

bool Is(std::string_view text, std::string_view word) {
  return text.size() == word.size() &&
         absl::EqualsIgnoreCase(AbslView(text), AbslView(word));
}

// Calls `f` with each element of a list that commas separate, until it fails.
template <typename F>
absl::Status ForEachElement(std::string_view list, F f) {
  for (;;) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (absl::Status status = f(Trimmed(list.substr(0, comma))); !status.ok()) {
      return status;
    }
    if (comma == list.size()) return absl::OkStatus();
    list.remove_prefix(comma + 1);
  }
}

}  // namespace

std::optional<HttpLine> FirstLine(std::string_view bytes) {
  const std::size_t lf = bytes.find('\n');
  if (lf == std::string_view::npos) return std::nullopt;
  std::string_view text = bytes.substr(0, lf);
  while (text.ends_with('\r')) text.remove_suffix(1);
  return HttpLine{text, lf + 1, text.size() == lf};
}

bool ResponseHead::MayBeStatusLine(std::string_view bytes) {
  const std::size_t size = std::min(bytes.size(), kProtocol.size());
  return Is(bytes.substr(0, size), kProtocol.substr(0, size));
}

absl::Status ResponseHead::TakeLine(std::string_view line) {
  if (status_ == 0) return TakeStatusLine(line);
  if (!MayHaveControls(line)) return TakeField(line);
  std::string plain(line);
  for (char& c : plain) {
    if (c == '\r' || c == '\0') {
      return Malformed("a CR or NUL within a header line");
    }
    if (IsControl(c)) c = ' ';
  }
  return TakeField(plain);
}

absl::Status ResponseHead::TakeStatusLine(std::string_view line) {
  constexpr std::size_t kVersionBytes = kProtocol.size() + 1;
  if (line.size() <= kVersionBytes || !MayBeStatusLine(line) ||
      !IsDigit(line[kProtocol.size()]) || line[kVersionBytes] != ' ') {
    return Malformed("it does not begin with an HTTP/1 version");
  }
  http11_ = line[kProtocol.size()] >= '1';
  line.remove_prefix(
      std::min(line.find_first_not_of(' ', kVersionBytes), line.size()));
  if (line.size() < 3 ||
      !std::all_of(line.begin(), line.begin() + 3, IsDigit) ||
      (line.size() > 3 && IsDigit(line[3]))) {
    return Malformed("no status of three digits");
  }
  const int status =
      (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
  if (status < 100) return Malformed("a status below 100");
  if (status == 101) return Malformed("it switches protocols unasked");
  status_ = status;
  headers_.reserve(kUsualHeaders);
  return absl::OkStatus();
}

absl::Status ResponseHead::TakeField(std::string_view line) {
  if (line.empty() || IsBlank(line.front())) {
    Fold(line);
    return absl::OkStatus();
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) {
    return Malformed("a header line without a colon");
  }
  const std::string_view name = Trimmed(line.substr(0, colon));
  left_out_ = !IsToken(name);
  if (!left_out_) {
    headers_.push_back(
        {std::string(name), std::string(Trimmed(line.substr(colon + 1)))});
  }
  return absl::OkStatus();
}

// Of no field: RFC 9112, 2.2, has such a line dropped.
void ResponseHead::Fold(std::string_view line) {
  const std::string_view more = Trimmed(line);
  if (headers_.empty() || left_out_ || more.empty()) return;
  std::string& value = headers_.back().value;
  if (!value.empty()) value += ' ';
  value += more;
}

absl::Status ResponseHead::Finish(bool to_head) {
  for (const HttpHeader& header : headers_) {
    if (absl::Status status = ReadFraming(header); !status.ok()) return status;
  }
  if (chunked_ && !http11_) return Malformed("chunks in HTTP/1.0");
  if (chunked_ && length_) return Malformed("a length and chunks");
  keep_alive_ = http11_ ? !close_ : stay_ && !close_;
  if (to_head || status_ / 100 == 1 || status_ == 204 || status_ == 304) {
    framing_ = Framing::kNoBody;
    // One that announces a body where there is none may send it.
    if (status_ == 204 && (chunked_ || length() > 0)) keep_alive_ = false;
  } else if (chunked_) {
    framing_ = Framing::kChunked;
  } else if (length_) {
    framing_ = Framing::kLength;
  } else {
    framing_ = Framing::kUntilClosed;
    keep_alive_ = false;
  }
  return absl::OkStatus();
}

absl::Status ResponseHead::ReadFraming(const HttpHeader& header) {
  const std::string_view name = header.name;
  if (Is(name, "content-length")) return ReadLength(header.value);
  if (Is(name, "transfer-encoding")) return ReadCodings(header.value);
  if (!Is(name, "connection")) return absl::OkStatus();
  return ForEachElement(header.value, [this](std::string_view option) {
    close_ |= Is(option, "close");
    stay_ |= Is(option, "keep-alive");
    return absl::OkStatus();
  });
}

absl::Status ResponseHead::ReadLength(std::string_view value) {
  return ForEachElement(value, [this](std::string_view number) {
    std::uint64_t length = 0;
    if (!std::all_of(number.begin(), number.end(), IsDigit) ||
        !absl::SimpleAtoi(AbslView(number), &length)) {
      return Malformed("a content-length that is no number");
    }
    if (length_.value_or(length) != length) {
      return Malformed("two content-lengths");
    }
    length_ = length;
    return absl::OkStatus();
  });
}

// `identity` is of older servers, and says nothing. Chunks are undone once,
// however often they are named.
absl::Status ResponseHead::ReadCodings(std::string_view value) {
  return ForEachElement(value, [this](std::string_view coding) {
    if (coding.empty() || Is(coding, "identity")) return absl::OkStatus();
    if (!Is(coding, "chunked")) {
      return Malformed("a transfer coding other than chunked");
    }
    chunked_ = true;
    return absl::OkStatus();
  });
}

}  // namespace coord
