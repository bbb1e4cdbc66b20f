#include "server/host_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "common/text_view.h"
#include "common/url.h"

namespace coord {
namespace {

// Of `HOST` or `HOST:PORT`, or a bare IPv6 address, which URLs put in brackets.
std::string HttpUrlOf(const std::string& address) {
  const bool bare =
      !address.starts_with('[') && address.find(':') != address.rfind(':');
  return bare ? "http://[" + address + "]" : "http://" + address;
}

bool IsAddress(const std::string& text) {
  in6_addr room{};
  return inet_pton(AF_INET, text.c_str(), &room) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &room) == 1;
}

}  // namespace

absl::StatusOr<HostPort> ParseHostPort(std::string_view text) {
  const absl::Status wrong = absl::InvalidArgumentError(
      "is not HOST:PORT, such as 127.0.0.1:7700 or [::1]:7700");
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong;
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return wrong;
  }
  int port = 0;
  if (host.empty() ||
      !absl::SimpleAtoi(AbslView(text.substr(colon + 1)), &port) || port < 0 ||
      port > 65'535) {
    return wrong;
  }
  return HostPort{std::string(host), static_cast<std::uint16_t>(port)};
}

bool IsAddressList(const std::string& text) {
  for (const auto each : absl::StrSplit(text, ',')) {
    const std::string address(each);
    if (IsAddress(address)) continue;
    const absl::StatusOr<HostPort> parsed = ParseHostPort(address);
    if (!parsed.ok() || parsed->port == 0 || !IsAddress(parsed->host)) {
      return false;
    }
  }
  return true;
}

bool IsReachableAddress(const std::string& text) {
  const absl::StatusOr<BaseUrl> url = ParseBaseUrl(HttpUrlOf(text));
  return url.ok() && url->path.empty() && text.back() != '/' &&
         url->origin.host != "0.0.0.0" && url->origin.host != "::";
}

std::string AdvertisedAddress(const std::string& advertised,
                              const std::string& effective) {
  const std::string& address = advertised.empty() ? effective : advertised;
  if (!IsReachableAddress(address)) return "";
  std::string url = HttpUrlOf(address);
  if (!ParseHostPort(address).ok()) {
    url += effective.substr(effective.rfind(':'));
  }
  return ParseBaseUrl(url)->origin.HostHeader();
}

}  // namespace coord
