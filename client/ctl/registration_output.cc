#include "client/ctl/registration_output.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cpp/client.h"
#include "client/cpp/proto_time.h"
#include "client/ctl/text.h"

namespace coord {

std::string RegistrationText(const pb::Registration& registration) {
  const pb::Server& server = registration.server();
  const std::vector<std::pair<std::string, std::string>> lines = {
      {"server:", absl::StrCat(server.type(), "/", server.server_id())},
      {"state:", EnumName(registration.state())},
      {"message:", registration.message()},
      {"drained:", server.state() == pb::SERVER_STATE_DRAINING ? "yes" : ""},
      {"session:", registration.session_id()},
      {"cluster:", registration.cluster_id()},
      {"servers:", absl::StrCat(registration.status().server_count())},
      {"membership:", AgeText(registration.status().membership_age())},
      {"url:", server.cluster_base_url()},
      {"local url:", registration.local_base_url()},
      {"public url:", server.public_base_url()},
      {"alive by:", registration.has_ttl()
                        ? absl::StrCat("keepalive within ",
                                       ShortInterval(registration.ttl()))
                        : "clusterd's own probe"},
      {"lease:", ShortInterval(registration.lease_duration())},
      {"registered:", Date(registration.register_time())},
      {"next renewal:", Date(registration.next_renewal_time())},
      {"announced:", AnnouncementText(registration.announcement())},
      {"evictions:", SelfPreservationText(registration)},
      {"etag:", server.etag()}};
  std::string text;
  for (const auto& [name, value] : lines) {
    if (value.empty()) continue;
    absl::StrAppend(&text, name, std::string(15 - name.size(), ' '),
                    Printable(value), "\n");
  }
  return text;
}

std::string RegistrationEnv(const pb::Registration& registration) {
  const pb::ClusterStatus& status = registration.status();
  const auto lease =
      absl::ToInt64Milliseconds(FromProto(status.lease_duration()));
  return absl::StrCat(
      "REGISTRATION_STATUS=", ShellQuote(status.registration_status()),
      "\nCLUSTER_STATUS_SERVERS=", status.server_count(),
      "\nCLUSTER_STATUS_UPDATED_AT=", ShellQuote(Date(status.update_time())),
      "\nCLUSTER_STATUS_LEASE_TIME=", lease, "\n");
}

std::string SelfPreservationText(const pb::Registration& registration) {
  if (!registration.status().self_preservation()) return "";
  const std::string& cause = registration.status().self_preservation_cause();
  return absl::StrCat(
      "slowed down, clusterd suspects itself",
      cause.empty() ? "" : absl::StrCat(": ", Printable(cause)));
}

std::string AnnouncementText(const pb::Announcement& announcement) {
  if (announcement.expected() == 0) return "";
  std::string text =
      absl::StrCat(announcement.answered(), " of ",
                   Counted(announcement.expected(), "server"), " told");
  if (announcement.failed() > 0) {
    absl::StrAppend(&text, ", ", announcement.failed(), " failed");
  }
  return text;
}

}  // namespace coord
