// How old lists are when somebody answers by them, and bringing those up to
// date that are too old.
#ifndef SERVER_NODE_LIST_AGES_H_
#define SERVER_NODE_LIST_AGES_H_

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/event_loop.h"
#include "server/core/server.h"
#include "server/fanout/engine.h"
#include "server/node/registrar.h"
#include "server/node/self_doubt.h"

namespace coord {

// Thread-safe.
class ListAges final : public KnowledgeSource {
 public:
  // All must outlive it, and the loop must have stopped before they go.
  ListAges(EventLoop& loop, Registrar& registrar, const SelfDoubt& doubt,
           absl::Duration max_age)
      : loop_(loop), registrar_(registrar), doubt_(doubt), max_age_(max_age) {}

  // What is older than `max_age` is stale: the authority is asked for it anew,
  // beside the caller, with one request at a time for each cluster and one in
  // `max_age`, whatever comes of it.
  Knowledge Judge(const ClusterSnapshot& cluster) override;

 private:
  void Refresh(const std::string& cluster_id, absl::Time now);

  EventLoop& loop_;
  Registrar& registrar_;
  const SelfDoubt& doubt_;
  const absl::Duration max_age_;
  absl::Mutex mutex_;
  // When the list of a cluster was last asked for, within `max_age`.
  absl::flat_hash_map<std::string, absl::Time> asked_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace coord

#endif  // SERVER_NODE_LIST_AGES_H_
