#include "server/http/proxy_status.h"

#include <string>
#include <string_view>

namespace coord {
namespace {

constexpr std::string_view kName = "proxy-status";
constexpr std::string_view kTooLarge =
    "clusterd; error=http_response_body_size";
constexpr std::string_view kUnreadable =
    "clusterd; error=http_response_content_coding";

}  // namespace

HttpHeader ProxyStatusOf(ProxyFault fault) {
  return {
      std::string(kName),
      std::string(fault == ProxyFault::kTooLarge ? kTooLarge : kUnreadable)};
}

std::optional<ProxyFault> ProxyFaultOf(const HttpHeaders& headers) {
  const std::string_view status = FindHeader(headers, kName);
  if (status == kTooLarge) return ProxyFault::kTooLarge;
  if (status == kUnreadable) return ProxyFault::kUnreadable;
  return std::nullopt;
}

}  // namespace coord
