#include "server/host_port.h"

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "common/text_view.h"

namespace coord {

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

}  // namespace coord
