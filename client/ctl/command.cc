#include "client/ctl/command.h"

#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/ctl/text.h"
#include "common/error.h"
#include "google/protobuf/util/json_util.h"

namespace coord {
namespace {

std::string ToJson(const google::protobuf::Message& message, bool many_lines) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = many_lines;
  // Programs should not have to know which values proto3 leaves out.
  options.always_print_primitive_fields = true;
  std::string json;
  const auto status =
      google::protobuf::util::MessageToJsonString(message, &json, options);
  return status.ok() ? json : absl::StrCat("{}  // ", status.ToString());
}

// `status` in words; a clusterd that was not reached or did not answer is named
// by its address.
std::string Explain(const absl::Status& status, const std::string& address) {
  std::string text = ErrorText(status);
  if (DetailOf(status).reason.has_value()) return text;
  if (absl::IsDeadlineExceeded(status)) {
    return absl::StrCat("clusterd at ", address, " did not answer in time");
  }
  if (!absl::IsUnavailable(status)) return text;
  // gRPC tells a chain of causes, of which the last is the one to know.
  constexpr std::string_view kCause = "Failed to connect to remote host: ";
  const std::size_t cause = text.rfind(kCause);
  return absl::StrCat(
      "clusterd at ", address, " cannot be reached: ",
      cause == text.npos ? text : text.substr(cause + kCause.size()));
}

}  // namespace

absl::StatusOr<Client> Context::Connect() const {
  ClientOptions options;
  options.address = address;
  options.tls_ca_file = tls_ca_file;
  if (timeout.has_value()) options.timeout = *timeout;
  return Client::Connect(options);
}

ExitCode Context::Fail(const absl::Status& status) const {
  err << "clusterctl: " << Explain(status, address) << "\n";
  return absl::IsInvalidArgument(status) ? ExitCode::kBadUsage
                                         : ExitCode::kFailed;
}

void Context::TellLoss(const absl::Status& status, std::string& told) const {
  std::string text = Explain(status, address);
  if (text == told) return;
  err << "clusterctl: " << text << "; trying again" << std::endl;
  told = std::move(text);
}

void Context::PrintJson(const google::protobuf::Message& message) const {
  out << ToJson(message, /*many_lines=*/true);
}

void Context::PrintJsonLine(const google::protobuf::Message& message) const {
  out << ToJson(message, /*many_lines=*/false) << std::endl;
}

}  // namespace coord
