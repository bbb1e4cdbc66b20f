// URLs as clusters use them: the base a server is reached at, and the path a
// call appends to it.
#ifndef COMMON_URL_H_
#define COMMON_URL_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace coord {

// Whom a connection goes to.
struct Origin {
  bool tls = false;
  std::string host;  // a name or an address; IPv6 without brackets
  std::uint16_t port = 80;

  // `host:port` as the Host header has it: brackets around IPv6, no default
  // port.
  std::string HostHeader() const;

  friend bool operator==(const Origin&, const Origin&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Origin& o) {
    return H::combine(std::move(h), o.tls, o.host, o.port);
  }
};

// Of an absolute URL.
inline constexpr std::size_t kMaxUrlBytes = 2048;

struct BaseUrl {
  Origin origin;
  std::string path;  // empty, or starts with `/` and does not end with one

  std::string ToString() const;
};

// Parses an absolute http or https URL of at most kMaxUrlBytes without user,
// query or fragment, whose path is one that CheckCallPath allows. The host is
// put in lower case. Errors: INVALID_ARGUMENT, the message is the rule that was
// broken, for example `must have a port from 1 to 65535`.
absl::StatusOr<BaseUrl> ParseBaseUrl(std::string_view url);

// Whether `path` may be appended to a base: at most 8192 bytes of ASCII that
// start with exactly one `/` (so it can't name another host); no `?`, `#`,
// space, backslash or control character, only complete %XX escapes, none of a
// control character however often it is encoded; and no `..` that leaves the
// base for any server, be it one that decodes again and again, that decodes
// dots but not slashes, that takes `\` for `/`, or that drops `;…` from a
// segment. Errors: INVALID_ARGUMENT, the message is the rule that was broken.
absl::Status CheckCallPath(std::string_view path);

// Whether `query` may follow the `?`: at most 8192 bytes of ASCII, no `#`,
// space, backslash or control character, only complete escapes (of anything).
// Empty is fine. Errors: as CheckCallPath.
absl::Status CheckQuery(std::string_view query);

// Decodes %XX. An incomplete escape stays as it is.
std::string PercentDecode(std::string_view text);
// Encodes all but unreserved characters.
std::string PercentEncode(std::string_view text);

}  // namespace coord

#endif  // COMMON_URL_H_
