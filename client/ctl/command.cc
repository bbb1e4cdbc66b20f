#include "client/ctl/command.h"

#include "absl/strings/str_cat.h"
#include "client/ctl/text.h"
#include "common/error.h"
#include "common/text_view.h"
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

}  // namespace

absl::StatusOr<Client> Context::Connect() const {
  ClientOptions options;
  options.address = address;
  options.tls_ca_file = tls_ca_file;
  if (timeout.has_value()) options.timeout = *timeout;
  return Client::Connect(options);
}

ExitCode Context::Fail(const absl::Status& status) const {
  err << "clusterctl: ";
  if (absl::IsUnavailable(status) && !DetailOf(status).reason.has_value()) {
    err << "reach clusterd at " << address << ": ";
  }
  err << ErrorText(status) << "\n";
  return absl::IsInvalidArgument(status) ? ExitCode::kBadUsage
                                         : ExitCode::kFailed;
}

void Context::PrintJson(const google::protobuf::Message& message) const {
  out << ToJson(message, /*many_lines=*/true);
}

void Context::PrintJsonLine(const google::protobuf::Message& message) const {
  out << ToJson(message, /*many_lines=*/false) << std::endl;
}

}  // namespace coord
