#include "server/fanout/answer_body.h"

#include <optional>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/text_view.h"
#include "server/http/content_coding.h"

namespace coord {
namespace {

using Kind = AnswerBody::Kind;

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr std::size_t kEscapeBytes = 6;  // `\uXXXX`

// The UTF-16 unit whose escape begins at `at`; nullopt: there is none.
std::optional<unsigned> EscapedUnit(std::string_view text, std::size_t at) {
  unsigned unit = 0;
  if (text.size() < at + kEscapeBytes || text.substr(at, 2) != "\\u" ||
      !absl::SimpleHexAtoi(AbslView(text.substr(at + 2, 4)), &unit)) {
    return std::nullopt;
  }
  return unit;
}

bool IsHighSurrogate(unsigned unit) { return unit / 0x400 == 0xD800 / 0x400; }
bool IsLowSurrogate(unsigned unit) { return unit / 0x400 == 0xDC00 / 0x400; }

// Outside of strings JSON has no backslash, so every one is taken for an
// escape.
void ReplaceLoneSurrogates(std::string& text) {
  std::size_t at = text.find('\\');
  while (at != std::string::npos) {
    const std::optional<unsigned> unit = EscapedUnit(text, at);
    std::size_t size = unit ? kEscapeBytes : 2;
    if (unit && IsHighSurrogate(*unit) &&
        IsLowSurrogate(EscapedUnit(text, at + kEscapeBytes).value_or(0))) {
      size += kEscapeBytes;
    } else if (unit && (IsHighSurrogate(*unit) || IsLowSurrogate(*unit))) {
      text.replace(at + 2, 4, "fffd");
    }
    at = text.find('\\', at + size);
  }
}

// `body` without what makes good JSON of others bad.
std::string Mended(std::string_view body) {
  if (body.starts_with(kByteOrderMark)) {
    body.remove_prefix(kByteOrderMark.size());
  }
  std::string mended(body);
  ReplaceLoneSurrogates(mended);
  return mended;
}

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

AnswerBody ReadJson(std::string_view content_type, HttpHeaders& headers,
                    std::string& body, NodeBodyReader& reader) {
  AnswerBody read{Kind::kJson, reader.Read(content_type, body), ""};
  if (read.json.kind == NodeBody::Kind::kJson) return read;
  std::string mended = Mended(body);
  if (IsBlank(mended)) return {};
  if (mended != body) {
    body.swap(mended);
    read.json = reader.Read(content_type, body);
    if (read.json.kind == NodeBody::Kind::kJson) {
      DropHeadersOfBytes(headers);
      return read;
    }
    body.swap(mended);
  }
  return {Kind::kBad, {}, "its answer is not the JSON that it announces"};
}

AnswerBody ReadUnpacked(std::string_view content_type, HttpHeaders& headers,
                        std::string& body, NodeBodyReader& reader) {
  if (body.empty()) return {};
  if (!AnnouncesJson(content_type)) return {Kind::kNotJson, {}, ""};
  return ReadJson(content_type, headers, body, reader);
}

AnswerBody Unreadable(Kind kind, const absl::Status& why) {
  return {kind, {}, absl::StrCat("its answer ", why.message())};
}

}  // namespace

AnswerBody ReadAnswerBody(int status, HttpHeaders& headers, std::string& body,
                          std::size_t max_bytes, NodeBodyReader& reader) {
  // A copy, since headers come and go below.
  const std::string content_type(FindHeader(headers, "content-type"));
  AnswerBody read = ReadUnpacked(content_type, headers, body, reader);
  if (read.kind == Kind::kJson || read.kind == Kind::kEmpty ||
      !IsCoded(headers)) {
    return read;
  }
  const absl::Status undone = UndoCodings(headers, body, max_bytes);
  if (!undone.ok() && status == 206) return read;
  if (absl::IsOutOfRange(undone)) return Unreadable(Kind::kTooLarge, undone);
  if (!undone.ok()) return Unreadable(Kind::kBad, undone);
  read = ReadUnpacked(content_type, headers, body, reader);
  if (read.kind == Kind::kBad && IsCoded(headers)) {
    read.kind = Kind::kCoded;
    read.problem = "its answer is in a content coding that is not known here";
  }
  return read;
}

}  // namespace coord
