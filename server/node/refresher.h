// Bringing the list of a cluster up to date, without more requests than needed.
#ifndef SERVER_NODE_REFRESHER_H_
#define SERVER_NODE_REFRESHER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/event_loop.h"

namespace coord {

// Lives on the loop.
class Refresher {
 public:
  using Done = absl::AnyInvocable<void(absl::Status) &&>;
  // Asks the authority for the list of a cluster; `done` is never called
  // inside.
  using Ask = std::function<void(const std::string& cluster_id, Done done)>;

  Refresher(EventLoop& loop, absl::Duration pause, Ask ask);
  ~Refresher();

  // Asks now, or waits for the answer that is on its way.
  void Refresh(const std::string& cluster_id, Done done);
  // Asks now if nothing did within the pause, else once at its end.
  void RefreshSoon(const std::string& cluster_id);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace coord

#endif  // SERVER_NODE_REFRESHER_H_
