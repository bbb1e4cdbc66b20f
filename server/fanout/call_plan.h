// What a call is going to do, settled before anything is sent.
#ifndef SERVER_FANOUT_CALL_PLAN_H_
#define SERVER_FANOUT_CALL_PLAN_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/core/membership.h"
#include "server/core/server.h"
#include "server/fanout/call.h"
#include "server/fanout/engine.h"
#include "server/fanout/node_call.h"

namespace coord {

struct CallPlan {
  SnapshotPtr snapshot;
  Knowledge knowledge;     // of it
  std::string cluster_id;  // as it is told
  // Every expected node, by server_id, and its outcome, which is complete where
  // nothing is to be sent.
  std::vector<NodeCall> nodes;
  std::vector<NodeOutcome> outcomes;
  int callable = 0;                // nodes that are not draining
  int sendable = 0;                // nodes to which something is sent
  int concurrency = 0;             // requests in flight at the most
  std::size_t answer_bytes = 0;    // of the aggregate
  std::size_t reserved_bytes = 0;  // of them: see ReserveRoom
  absl::Duration attempt_timeout;
  bool idempotent = false;
  std::string path_and_query;
};

// What its answer says of how far it can be relied on.
std::vector<Warning> WarningsOf(const CallPlan& plan);

// How many requests a call that CheckCall found good may have in flight at the
// most, by a look at the membership that costs next to nothing. At least 1: who
// waits may find more members afterwards.
int NodeCallsAtMost(const FanOutCall& call, const FanOutOptions& options,
                    const ClusterSnapshot& snapshot);

// The cluster that a call is for. Errors: NOT_FOUND · CLUSTER_NOT_FOUND,
// FAILED_PRECONDITION · CLUSTER_AMBIGUOUS, NOT_REGISTERED (it has an origin,
// and no cluster is known).
absl::StatusOr<SnapshotPtr> SnapshotFor(const FanOutCall& call,
                                        const Membership& membership);

// Selects the nodes of a call that CheckCall found good. Errors:
// FAILED_PRECONDITION · NOT_REGISTERED (the origin is no member),
// TOO_FEW_SERVERS, POLICY_IMPOSSIBLE.
absl::StatusOr<CallPlan> PlanCall(const FanOutCall& call,
                                  const FanOutOptions& options,
                                  SnapshotPtr snapshot);

// The call's headers and those that it leaves to us, without authorization. Its
// trace goes along unless a `traceparent` is among the headers.
// `fresh` names the request where the caller did not.
HttpHeaders RequestHeaders(const FanOutCall& call, std::string_view user_agent,
                           std::string_view fresh, absl::Time now);

}  // namespace coord

#endif  // SERVER_FANOUT_CALL_PLAN_H_
