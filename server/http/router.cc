#include "server/http/router.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/text_view.h"
#include "common/url.h"
#include "common/utf8.h"

namespace coord {
namespace {

constexpr std::string_view kAnySegment = "{}";
constexpr std::string_view kAllThatFollows = "**";

// Whether `pattern` matches `segments`, and how well: one character for each
// segment, so that comparing the strings prefers literals from the left. That
// of `**` is none, which comes before all others.
bool Match(const std::vector<std::string>& pattern,
           const std::vector<std::string>& segments, std::string& rank) {
  rank.clear();
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == kAllThatFollows) return true;
    if (i == segments.size()) return false;
    if (pattern[i] == kAnySegment) {
      if (segments[i].empty()) return false;
      rank.push_back('0');
    } else if (pattern[i] == segments[i]) {
      rank.push_back('1');
    } else {
      return false;
    }
  }
  return pattern.size() == segments.size();
}

PathParameters ParametersOf(const std::vector<std::string>& pattern,
                            const std::vector<std::string>& segments) {
  PathParameters parameters;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == kAnySegment) {
      parameters.push_back(PercentDecode(segments[i]));
    }
  }
  return parameters;
}

HttpResponse MethodNotAllowed(std::string_view method,
                              std::vector<std::string> allowed) {
  std::sort(allowed.begin(), allowed.end());
  allowed.erase(std::unique(allowed.begin(), allowed.end()), allowed.end());
  HttpResponse response = JsonError(
      405, absl::StrCat("method ", AbslView(method), " is not allowed here"));
  response.headers.push_back({"allow", absl::StrJoin(allowed, ", ")});
  return response;
}

}  // namespace

void Router::Add(std::string method, std::string_view pattern,
                 RouteHandler handler) {
  routes_.push_back({std::move(method), absl::StrSplit(AbslView(pattern), '/'),
                     std::move(handler), RequestBodies::kHeld});
}

void Router::AddAnyMethod(std::string_view pattern, RouteHandler handler,
                          RequestBodies bodies) {
  Add("", pattern, std::move(handler));
  routes_.back().bodies = bodies;
}

const Router::Route* Router::Find(std::string_view method,
                                  const std::vector<std::string>& segments,
                                  std::vector<std::string>& allowed) const {
  if (method == "HEAD") method = "GET";
  const Route* best = nullptr;
  std::string best_rank;
  std::string rank;
  for (const Route& route : routes_) {
    if (!Match(route.segments, segments, rank)) continue;
    allowed.push_back(route.method);
    if (route.method == "GET") allowed.push_back("HEAD");
    if (!route.method.empty() && route.method != method) continue;
    if (best == nullptr || rank > best_rank) {
      best = &route;
      best_rank = rank;
    }
  }
  return best;
}

void Router::Handle(HttpServerRequest request, HttpReply reply) const {
  // The path is split before it is decoded: an escaped slash is no separator.
  const std::vector<std::string> segments = absl::StrSplit(request.path, '/');
  std::vector<std::string> allowed;
  const Route* best = Find(request.method, segments, allowed);
  if (best != nullptr) {
    PathParameters parameters = ParametersOf(best->segments, segments);
    best->handler(std::move(request), std::move(parameters), std::move(reply));
  } else if (allowed.empty()) {
    std::move(reply)(
        JsonError(404, absl::StrCat("no route for ", request.path)));
  } else {
    std::move(reply)(MethodNotAllowed(request.method, std::move(allowed)));
  }
}

bool Router::MayStream(const HttpServerRequest& head) const {
  std::vector<std::string> allowed;
  const Route* best =
      Find(head.method, absl::StrSplit(head.path, '/'), allowed);
  return best != nullptr && best->bodies == RequestBodies::kStreamed;
}

HttpResponse JsonError(int status, std::string_view message) {
  return JsonAnswer(status, boost::json::serialize(boost::json::value{
                                {"statusCode", status},
                                {"title", std::string(StatusTitle(status))},
                                {"message", EscapeInvalidUtf8(message)}}));
}

HttpResponse JsonError(const absl::Status& status) {
  const std::string_view why = StdView(status.message());
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return JsonError(400, why);
    case absl::StatusCode::kUnauthenticated:
      return JsonError(401, why);
    case absl::StatusCode::kPermissionDenied:
      return JsonError(403, why);
    case absl::StatusCode::kNotFound:
      return JsonError(404, why);
    case absl::StatusCode::kResourceExhausted:
      return JsonError(429, why);
    default:
      return JsonError(503, why);
  }
}

HttpResponse JsonAnswer(int status, std::string body) {
  return {status, {{"content-type", "application/json"}}, std::move(body)};
}

std::string_view StatusTitle(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Payload Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Entity";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Unknown";
  }
}

}  // namespace coord
