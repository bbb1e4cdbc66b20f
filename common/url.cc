#include "common/url.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/text_view.h"

namespace coord {
namespace {

constexpr std::size_t kMaxPath = 8192;
constexpr std::size_t kMaxQuery = 8192;
constexpr std::size_t kMaxHost = 253;
constexpr std::string_view kHexDigits = "0123456789ABCDEF";

absl::Status Broken(std::string_view rule) {
  return absl::InvalidArgumentError(AbslView(rule));
}

bool Contains(std::string_view text, char c) {
  return text.find(c) != text.npos;
}

bool StartsWithEscape(std::string_view text) {
  return text.size() >= 3 && text[0] == '%' &&
         absl::ascii_isxdigit(static_cast<unsigned char>(text[1])) &&
         absl::ascii_isxdigit(static_cast<unsigned char>(text[2]));
}

char DecodeEscape(std::string_view escape) {
  const auto digit = [](char c) {
    return static_cast<int>(kHexDigits.find(absl::ascii_toupper(c)));
  };
  return static_cast<char>(digit(escape[1]) * 16 + digit(escape[2]));
}

// Decodes until nothing is left to decode, in one pass: an escape that is made
// by decoding is decoded, too. Some servers decode twice.
std::string FullyDecoded(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (const char c : text) {
    decoded += c;
    while (decoded.size() >= 3) {
      const std::size_t start = decoded.size() - 3;
      const std::string_view tail = std::string_view(decoded).substr(start);
      if (!StartsWithEscape(tail)) break;
      const char byte = DecodeEscape(tail);
      decoded.resize(start);
      decoded += byte;
    }
  }
  return decoded;
}

bool HasControl(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return absl::ascii_iscntrl(c); });
}

// What a request line may carry.
absl::Status CheckTargetCharacters(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (absl::ascii_iscntrl(c)) {
      return Broken("must not contain control characters");
    }
    if (c == ' ') return Broken("must not contain a space");
    if (c == '\\') return Broken("must not contain a backslash");
    if (c == '#') return Broken("must not contain #");
    if (c >= 0x80) return Broken("must be ASCII, other bytes as %XX");
    if (c == '%' && !StartsWithEscape(text.substr(i))) {
      return Broken("must not contain an incomplete %XX escape");
    }
  }
  return absl::OkStatus();
}

// By how many levels one segment of a path leads down, at the least, for any
// server: one that decodes it once, again and again, or not at all; that takes
// an encoded slash or backslash for a separator or not; that drops `;…`.
int DepthOf(std::string_view segment) {
  int ups = 0;
  bool named = false;
  const std::string decoded = FullyDecoded(segment);
  for (absl::string_view part :
       absl::StrSplit(decoded, absl::ByAnyChar("/\\"))) {
    part = part.substr(0, part.find(';'));
    if (part == "..") ++ups;
    if (!part.empty() && part != ".") named = true;
  }
  if (ups > 0) return -ups;
  return named ? 1 : 0;
}

bool LeavesBase(std::string_view path) {
  int depth = 0;
  for (const absl::string_view segment : absl::StrSplit(AbslView(path), '/')) {
    depth += DepthOf(StdView(segment));
    if (depth < 0) return true;
  }
  return false;
}

absl::Status CheckHost(std::string_view host) {
  const bool named =
      !host.empty() && host.size() <= kMaxHost &&
      std::all_of(host.begin(), host.end(), [](unsigned char c) {
        return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '_';
      });
  return named ? absl::OkStatus()
               : Broken("must have a host name or an address");
}

bool ParsePort(std::string_view text, std::uint16_t& port) {
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port > 0;
}

// `name:port`, `[::1]:port`; the port may be absent.
absl::Status ParseAuthority(std::string_view authority, Origin& origin) {
  if (Contains(authority, '@')) {
    return Broken("must not contain a user");
  }
  const std::size_t host_end =
      authority.starts_with('[') ? authority.find(']') : authority.find(':');
  std::string_view port;
  if (authority.starts_with('[')) {
    if (host_end == authority.npos) return Broken("must close its bracket");
    origin.host = authority.substr(1, host_end - 1);
    in6_addr address;
    if (inet_pton(AF_INET6, origin.host.c_str(), &address) != 1) {
      return Broken("must have an IPv6 address in its brackets");
    }
    port = authority.substr(host_end + 1);
  } else {
    const std::string_view host = authority.substr(0, host_end);
    if (absl::Status status = CheckHost(host); !status.ok()) return status;
    origin.host = absl::AsciiStrToLower(AbslView(host));
    port = authority.substr(host.size());
  }
  origin.port = origin.tls ? 443 : 80;
  if (port.empty()) return absl::OkStatus();
  if (!port.starts_with(':') || !ParsePort(port.substr(1), origin.port)) {
    return Broken("must have a port from 1 to 65535");
  }
  return absl::OkStatus();
}

}  // namespace

std::string Origin::HostHeader() const {
  std::string header =
      Contains(host, ':') ? absl::StrCat("[", host, "]") : host;
  if (port != (tls ? 443 : 80)) absl::StrAppend(&header, ":", port);
  return header;
}

std::string BaseUrl::ToString() const {
  return absl::StrCat(origin.tls ? "https://" : "http://", origin.HostHeader(),
                      path);
}

absl::StatusOr<BaseUrl> ParseBaseUrl(std::string_view url) {
  if (url.size() > kMaxUrlBytes) return Broken("must be at most 2048 bytes");
  BaseUrl base;
  const std::size_t scheme_end = url.find("://");
  const std::string_view scheme =
      scheme_end == url.npos ? "" : url.substr(0, scheme_end);
  if (absl::EqualsIgnoreCase(AbslView(scheme), "https")) {
    base.origin.tls = true;
  } else if (!absl::EqualsIgnoreCase(AbslView(scheme), "http")) {
    return Broken("must be an absolute http or https URL");
  }
  url.remove_prefix(scheme_end + 3);
  if (Contains(url, '?')) return Broken("must not contain a query");
  if (Contains(url, '#')) return Broken("must not contain a fragment");

  const std::string_view authority = url.substr(0, url.find('/'));
  absl::Status status = ParseAuthority(authority, base.origin);
  std::string_view path = url.substr(authority.size());
  if (status.ok() && !path.empty()) status = CheckCallPath(path);
  if (!status.ok()) return status;
  while (path.ends_with('/')) path.remove_suffix(1);
  base.path = path;
  return base;
}

absl::Status CheckCallPath(std::string_view path) {
  if (path.size() > kMaxPath) return Broken("must be at most 8192 bytes");
  if (!path.starts_with('/')) return Broken("must start with /");
  if (path.starts_with("//")) return Broken("must start with a single /");
  if (Contains(path, '?')) return Broken("must not contain ?");
  if (absl::Status status = CheckTargetCharacters(path); !status.ok()) {
    return status;
  }
  if (HasControl(FullyDecoded(path))) {
    return Broken("must not contain encoded control characters");
  }
  if (LeavesBase(path)) return Broken("must not leave its base by ..");
  return absl::OkStatus();
}

absl::Status CheckQuery(std::string_view query) {
  if (query.size() > kMaxQuery) return Broken("must be at most 8192 bytes");
  return CheckTargetCharacters(query);
}

std::string PercentDecode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  while (!text.empty()) {
    const bool escape = StartsWithEscape(text);
    decoded += escape ? DecodeEscape(text) : text.front();
    text.remove_prefix(escape ? 3 : 1);
  }
  return decoded;
}

std::string PercentEncode(std::string_view text) {
  constexpr std::string_view kUnreservedPunctuation = "-._~";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || Contains(kUnreservedPunctuation, c)) {
      encoded += c;
    } else {
      encoded += '%';
      encoded += kHexDigits[byte >> 4];
      encoded += kHexDigits[byte & 15];
    }
  }
  return encoded;
}

}  // namespace coord
