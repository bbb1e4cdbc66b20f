#include "client/cpp/address.h"

#include <algorithm>
#include <array>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/text_view.h"

namespace coord {
namespace {

constexpr std::string_view kDefaultPort = "7700";
constexpr int kLastPort = 65'535;

bool HasScheme(std::string_view address) {
  constexpr std::array<std::string_view, 5> kSchemes = {
      "unix:", "unix-abstract:", "dns:", "ipv4:", "ipv6:"};
  return std::any_of(
      kSchemes.begin(), kSchemes.end(),
      [address](std::string_view it) { return address.starts_with(it); });
}

bool IsPort(std::string_view text) {
  int port = 0;
  return absl::SimpleAtoi(AbslView(text), &port) && port > 0 &&
         port <= kLastPort;
}

}  // namespace

absl::StatusOr<std::string> GrpcTarget(std::string_view address) {
  if (HasScheme(address)) return std::string(address);
  const absl::Status bad = absl::InvalidArgumentError(
      absl::StrCat("connect to \"", AbslView(address),
                   "\": is not HOST[:PORT] or unix:PATH"));
  const bool bare_ipv6 = std::count(address.begin(), address.end(), ':') > 1 &&
                         !address.starts_with('[');
  // Colons between brackets separate no port.
  const std::size_t end_of_host =
      bare_ipv6 ? std::string_view::npos
                : address.find(':', address.find(']') + 1);
  const std::string_view host = address.substr(0, end_of_host);
  const std::string_view port = end_of_host == std::string_view::npos
                                    ? kDefaultPort
                                    : address.substr(end_of_host + 1);
  const bool unbalanced = host.starts_with('[') != host.ends_with(']');
  if (host.empty() || unbalanced || !IsPort(port) ||
      host.find_first_of("/ ") != std::string_view::npos) {
    return bad;
  }
  return bare_ipv6 ? absl::StrCat("[", AbslView(host), "]:", AbslView(port))
                   : absl::StrCat(AbslView(host), ":", AbslView(port));
}

}  // namespace coord
