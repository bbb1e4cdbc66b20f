#include "server/http/chunked_body.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/http/response_head.h"

namespace coord {
namespace {

absl::Status Malformed(const char* what) {
  return absl::InvalidArgumentError(what);
}

unsigned HexValue(char c) {
  return c <= '9' ? c - '0' : absl::ascii_tolower(c) - 'a' + 10;
}

}  // namespace

absl::Status ChunkedBody::Take(std::string_view data,
                               std::uint64_t max_body_bytes, std::size_t& taken,
                               std::string& body) {
  taken = 0;
  while (!done() && taken < data.size()) {
    const std::string_view rest = data.substr(taken);
    std::size_t size = 0;
    absl::Status status;
    if (next_ == Next::kData) {
      size = TakeData(rest, body);
    } else if (next_ == Next::kDataEnd) {
      status = TakeDataEnd(rest, size);
    } else {
      status = TakeLine(rest, max_body_bytes, size);
    }
    if (!status.ok() || size == 0) return status;
    taken += size;
  }
  return absl::OkStatus();
}

absl::Status ChunkedBody::TakeLine(std::string_view data,
                                   std::uint64_t max_body_bytes,
                                   std::size_t& size) {
  const std::optional<HttpLine> line = FirstLine(data);
  const std::size_t bytes = line ? line->size : data.size();
  if (trailer_bytes_ + bytes > kMaxResponseHeaderBytes) {
    return Malformed("endless chunk line or trailers");
  }
  if (!line) return absl::OkStatus();
  size = bytes;
  if (next_ == Next::kSize) {
    bare_lf_ = line->bare_lf;
    return TakeSize(line->text, max_body_bytes);
  }
  trailer_bytes_ += bytes;
  if (line->text.empty()) next_ = Next::kNothing;
  return absl::OkStatus();
}

std::size_t ChunkedBody::TakeData(std::string_view data, std::string& body) {
  const auto size =
      static_cast<std::size_t>(std::min<std::uint64_t>(left_, data.size()));
  body.append(data.substr(0, size));
  left_ -= size;
  if (left_ == 0) next_ = Next::kDataEnd;
  return size;
}

absl::Status ChunkedBody::TakeSize(std::string_view line,
                                   std::uint64_t max_body_bytes) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  std::size_t at = 0;
  std::uint64_t size = 0;
  for (; at < line.size() && absl::ascii_isxdigit(line[at]); ++at) {
    if (size > kMax / 16) return Malformed("a chunk size that is too long");
    size = size * 16 + HexValue(line[at]);
  }
  const std::size_t end =
      std::min(line.find_first_not_of(" \t", at), line.size());
  if (at == 0 || (end < line.size() && line[end] != ';')) {
    return Malformed("a chunk size that is no number");
  }
  if (size > max_body_bytes - announced_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("body is over ", max_body_bytes, " bytes"));
  }
  announced_ += size;
  left_ = size;
  next_ = size == 0 ? Next::kTrailer : Next::kData;
  return absl::OkStatus();
}

absl::Status ChunkedBody::TakeDataEnd(std::string_view data,
                                      std::size_t& size) {
  const std::string_view end = bare_lf_ ? "\n" : "\r\n";
  const std::size_t known = std::min(data.size(), end.size());
  if (data.substr(0, known) != end.substr(0, known)) {
    return Malformed("a chunk that is longer than its size");
  }
  if (known < end.size()) return absl::OkStatus();
  size = known;
  next_ = Next::kSize;
  return absl::OkStatus();
}

}  // namespace coord
