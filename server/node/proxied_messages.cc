#include "server/node/proxied_messages.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/text_view.h"
#include "common/utf8.h"
#include "server/fanout/answer_body.h"
#include "server/http/content_coding.h"
#include "server/http/proxy_status.h"
#include "server/http/router.h"
#include "server/registry/it_resource.h"

namespace coord {
namespace {

// Of one connection, or made anew for each by whoever writes to it.
constexpr std::array<std::string_view, 12> kHopHeaders = {"connection",
                                                          "content-length",
                                                          "host",
                                                          "keep-alive",
                                                          "expect",
                                                          "proxy-authenticate",
                                                          "proxy-authorization",
                                                          "proxy-connection",
                                                          "te",
                                                          "trailer",
                                                          "transfer-encoding",
                                                          "upgrade"};

bool IsNamed(std::string_view name, std::string_view other) {
  return absl::EqualsIgnoreCase(AbslView(name), AbslView(other));
}

// All values of `name`, one after the other.
std::string Joined(const HttpHeaders& headers, std::string_view name) {
  std::string values;
  for (const HttpHeader& header : headers) {
    if (!IsNamed(header.name, name)) continue;
    absl::StrAppend(&values, values.empty() ? "" : ",", header.value);
  }
  return values;
}

void Remove(HttpHeaders& headers, std::string_view name) {
  std::erase_if(headers, [name](const HttpHeader& header) {
    return IsNamed(header.name, name);
  });
}

void RemoveHopHeaders(HttpHeaders& headers) {
  const std::string connection = Joined(headers, "connection");
  for (const absl::string_view option : absl::StrSplit(connection, ',')) {
    Remove(headers, StdView(absl::StripAsciiWhitespace(option)));
  }
  for (const std::string_view name : kHopHeaders) Remove(headers, name);
}

// Whether the caller takes JSON, be it among others.
bool AcceptsJson(const HttpHeaders& headers) {
  const std::string accept = absl::AsciiStrToLower(Joined(headers, "accept"));
  return accept.empty() || absl::StrContains(accept, "application/json") ||
         absl::StrContains(accept, "application/*") ||
         absl::StrContains(accept, "*/*");
}

std::string DataUrl(std::string_view content_type, std::string_view body) {
  const std::vector<absl::string_view> parts =
      absl::StrSplit(AbslView(content_type), ';');
  const absl::string_view type = absl::StripAsciiWhitespace(parts.front());
  return absl::StrCat("data:", type.empty() ? "application/octet-stream" : type,
                      ";base64,", absl::Base64Escape(AbslView(body)));
}

// What stands for the body in `data`.
std::string DataOf(const AnswerBody& read, std::string_view content_type,
                   std::string body) {
  switch (read.kind) {
    case AnswerBody::Kind::kEmpty:
      return "null";
    case AnswerBody::Kind::kJson:
      return body;
    default:
      return JsonString(IsValidUtf8(body) ? body : DataUrl(content_type, body));
  }
}

HttpResponse Unreadable(int status, ProxyFault fault,
                        std::string_view problem) {
  HttpResponse response = JsonError(status, problem);
  response.headers.push_back(ProxyStatusOf(fault));
  return response;
}

// Makes the head of `answer` that of an envelope.
void DescribeEnvelope(HttpResponse& answer) {
  if (answer.status == 204 || answer.status == 205 || answer.status == 206) {
    answer.status = 200;
  }
  DropHeadersOfBytes(answer.headers);
  for (const std::string_view name :
       {"content-type", "content-location", "content-disposition"}) {
    Remove(answer.headers, name);
  }
  answer.headers.push_back({"content-type", "application/json"});
}

}  // namespace

HttpHeaders ProxiedRequestHeaders(const HttpHeaders& received,
                                  std::string_view correlation_id) {
  HttpHeaders headers = received;
  RemoveHopHeaders(headers);
  Remove(headers, "accept-encoding");
  Remove(headers, "x-correlation-id");
  if (AcceptsJson(received)) {
    Remove(headers, "range");
    Remove(headers, "if-range");
  }
  headers.push_back({"accept-encoding", "identity"});
  headers.push_back({"x-correlation-id", std::string(correlation_id)});
  headers.push_back({"via", "1.1 clusterd"});
  return headers;
}

StreamedAnswers StreamedAnswersTo(const HttpServerRequest& request) {
  return request.method == "HEAD" || !AcceptsJson(request.headers)
             ? StreamedAnswers::kAll
             : StreamedAnswers::kAllBut2xx;
}

HttpResponse ProxiedAnswer(HttpResponse answer,
                           const HttpServerRequest& request,
                           std::string_view server_id,
                           std::size_t max_body_bytes, NodeBodyReader& reader) {
  RemoveHopHeaders(answer.headers);
  Remove(answer.headers, "x-correlation-id");
  if (answer.status / 100 != 2 || !AcceptsJson(request.headers)) return answer;
  if (request.method == "HEAD") {
    DescribeEnvelope(answer);
    return answer;
  }
  const AnswerBody read = ReadAnswerBody(answer.status, answer.headers,
                                         answer.body, max_body_bytes, reader);
  if (read.kind == AnswerBody::Kind::kTooLarge) {
    return Unreadable(413, ProxyFault::kTooLarge, read.problem);
  }
  if (!read.problem.empty()) {
    return Unreadable(406, ProxyFault::kUnreadable, read.problem);
  }
  if (read.json.has_server) return answer;
  const std::string content_type(FindHeader(answer.headers, "content-type"));
  answer.body =
      NodeAnswer(DataOf(read, content_type, std::move(answer.body)), server_id);
  DescribeEnvelope(answer);
  return answer;
}

// A 5xx would have the service evicted: it is for silence and broken
// connections, not for what was never asked and what we alone can't take.
HttpResponse ProxyFailure(const HttpError& error) {
  switch (error.kind) {
    case HttpError::Kind::kOverloaded:
    case HttpError::Kind::kUnresolved:
      return JsonError(429, error.message);
    case HttpError::Kind::kBadResponse:
      return Unreadable(406, ProxyFault::kUnreadable, error.message);
    case HttpError::Kind::kTooLarge:
      return Unreadable(413, ProxyFault::kTooLarge, error.message);
    case HttpError::Kind::kTimeout:
      return JsonError(504, error.message);
    case HttpError::Kind::kUnreachable:
    case HttpError::Kind::kConnectionLost:
      return JsonError(502, error.message);
  }
  return JsonError(502, error.message);
}

}  // namespace coord
