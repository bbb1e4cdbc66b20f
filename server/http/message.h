// HTTP messages as the rest of the server sees them; no library's types, so
// that few files pay for Beast.
#ifndef SERVER_HTTP_MESSAGE_H_
#define SERVER_HTTP_MESSAGE_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/http/body_source.h"

namespace coord {

struct HttpHeader {
  std::string name;
  std::string value;

  friend bool operator==(const HttpHeader&, const HttpHeader&) = default;
};
using HttpHeaders = std::vector<HttpHeader>;

// The first value of `name`, letter case aside; empty when there is none.
std::string_view FindHeader(const HttpHeaders& headers, std::string_view name);

// Whether a second execution does no harm, by RFC 9110, 9.2.2.
bool IsIdempotentMethod(std::string_view method);

struct HttpResponse {
  int status = 0;
  HttpHeaders headers;
  std::string body;
  // The body, in place of `body`, if it is passed on while it arrives.
  std::unique_ptr<BodySource> stream = nullptr;
};

}  // namespace coord

#endif  // SERVER_HTTP_MESSAGE_H_
