// A small authority and token service that speak as mIT and mST do, for as much
// as was seen of them.
#ifndef TESTS_CONTRACT_STAND_IN_MIT_H_
#define TESTS_CONTRACT_STAND_IN_MIT_H_

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/http/asio_loop.h"
#include "server/http/listener.h"
#include "server/http/router.h"

namespace coord {

// Serves `/mIT/v1/itResources…` and `/oauth/token` on a free port. Clusters are
// keyed by type and publicBaseUrl; every registration gets a new `updatedAt`;
// nothing expires. Requests need the token that was issued last, unless none is
// asked for.
class StandInMit {
 public:
  explicit StandInMit(bool asks_for_tokens = true);
  ~StandInMit();

  std::uint16_t port() const { return listener_->port(); }

 private:
  struct Record {
    std::string members;  // what was registered, `"serverId":…,…`
    std::string created_at;
    std::string updated_at;

    std::string Json() const;
  };
  struct Cluster {
    std::string id;
    std::string type;
    std::string public_base_url;
    std::map<std::string, Record> records;
  };

  HttpResponse IssueToken();
  bool IsAuthorized(const HttpServerRequest& request);
  HttpResponse Register(const HttpServerRequest& request);
  HttpResponse Delete(const std::string& cluster_id, const std::string& target);
  Cluster& ClusterOf(const std::string& type,
                     const std::string& public_base_url)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string NextDate() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const bool asks_for_tokens_;
  absl::Mutex mutex_;
  std::string token_ ABSL_GUARDED_BY(mutex_);
  std::map<std::pair<std::string, std::string>, Cluster> clusters_
      ABSL_GUARDED_BY(mutex_);
  absl::Time last_date_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();

  Router router_;
  AsioLoop loop_{"stand-in-mit"};
  std::unique_ptr<HttpListener> listener_;
};

}  // namespace coord

#endif  // TESTS_CONTRACT_STAND_IN_MIT_H_
