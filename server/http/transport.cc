#include "server/http/transport.h"

#include "absl/strings/str_cat.h"
#include "common/text_view.h"

namespace coord {
namespace {

// Methods whose servers expect a length even of an empty body (RFC 9110, 8.6).
bool WantsContentLength(std::string_view method) {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

void AppendHeaders(const HttpHeaders& headers, std::string& tail) {
  for (const HttpHeader& header : headers) {
    absl::StrAppend(&tail, header.name, ": ", header.value, "\r\n");
  }
}

}  // namespace

SharedTail SerializeTail(std::string_view method, const HttpHeaders& headers,
                         std::string_view body) {
  std::size_t size = body.size() + 32;
  for (const HttpHeader& header : headers) {
    size += header.name.size() + header.value.size() + 4;
  }
  std::string tail;
  tail.reserve(size);
  AppendHeaders(headers, tail);
  if (!body.empty() || WantsContentLength(method)) {
    absl::StrAppend(&tail, "Content-Length: ", body.size(), "\r\n");
  }
  absl::StrAppend(&tail, "\r\n", AbslView(body));
  return std::make_shared<const std::string>(std::move(tail));
}

SharedTail SerializeTail(const HttpHeaders& headers, const BodySource& body) {
  std::string tail;
  AppendHeaders(headers, tail);
  if (body.length()) {
    absl::StrAppend(&tail, "Content-Length: ", *body.length(), "\r\n\r\n");
  } else {
    absl::StrAppend(&tail, "Transfer-Encoding: chunked\r\n\r\n");
  }
  return std::make_shared<const std::string>(std::move(tail));
}

}  // namespace coord
