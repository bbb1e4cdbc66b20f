// Records for tests of core/.
#ifndef TESTS_UNIT_CORE_RECORDS_H_
#define TESTS_UNIT_CORE_RECORDS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/core/server.h"

namespace coord {

inline const ClusterIdentity kCluster{"c1", "mTest", "http://public/mTest/v1"};

inline absl::Time At(int seconds) {
  return absl::FromUnixSeconds(1'700'000'000 + seconds);
}

// A record of `kCluster` that was written at At(`date`).
inline Server Record(const std::string& id, int date,
                     const std::string& address = "") {
  Server server;
  server.type = kCluster.type;
  server.server_id = id;
  server.cluster_base_url =
      address.empty() ? absl::StrCat("http://", id, "/mTest/v1") : address;
  server.node_api = NodeApi::kYes;
  server.create_time = At(0);
  server.update_time = At(date);
  server.version.text = absl::StrCat("v", date);
  return server;
}

inline Change Joined(Server server) {
  return {ChangeType::kJoined, std::make_shared<const Server>(server)};
}

inline Change Left(Server server) {
  return {ChangeType::kLeft, std::make_shared<const Server>(server)};
}

inline std::vector<std::string> Ids(const ClusterSnapshot& snapshot) {
  std::vector<std::string> ids;
  for (const ServerPtr& server : snapshot.servers) {
    ids.push_back(server->server_id);
  }
  return ids;
}

}  // namespace coord

#endif  // TESTS_UNIT_CORE_RECORDS_H_
