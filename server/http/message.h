// HTTP messages as the rest of the server sees them; no library's types, so
// that few files pay for Beast.
#ifndef SERVER_HTTP_MESSAGE_H_
#define SERVER_HTTP_MESSAGE_H_

#include <string>
#include <string_view>
#include <vector>

namespace coord {

struct HttpHeader {
  std::string name;
  std::string value;

  friend bool operator==(const HttpHeader&, const HttpHeader&) = default;
};
using HttpHeaders = std::vector<HttpHeader>;

// The first value of `name`, letter case aside; empty when there is none.
std::string_view FindHeader(const HttpHeaders& headers, std::string_view name);

struct HttpResponse {
  int status = 0;
  HttpHeaders headers;
  std::string body;
};

}  // namespace coord

#endif  // SERVER_HTTP_MESSAGE_H_
