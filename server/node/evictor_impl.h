// The suspicions that are being looked into, and the removals they end in; all
// on the loop.
#ifndef SERVER_NODE_EVICTOR_IMPL_H_
#define SERVER_NODE_EVICTOR_IMPL_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/random/random.h"
#include "server/core/eviction_rules.h"
#include "server/node/aftermath.h"
#include "server/node/evictor.h"

namespace coord {

class Evictor::Impl : public std::enable_shared_from_this<Evictor::Impl> {
 public:
  using EvictDone = absl::AnyInvocable<void(absl::StatusOr<EvictAnswer>) &&>;

  Impl(EventLoop& loop, Registry& registry, Registrar& registrar,
       Membership& membership, Peers& peers, SelfDoubt& doubt,
       EvictionObserver& observer, EvictorOptions options);

  void Suspect(const ClusterIdentity& cluster, const ServerPtr& server);
  void Nameless(const Server& server) { peers_.AskNodeApi(server); }
  void Evict(EvictCommand command, EvictDone done);
  void Stop();

 private:
  // One suspicion, from the first doubt until the server is gone, replaced or
  // answers. It is looked into again and again while the server is dead and
  // stays.
  struct Case {
    ClusterIdentity cluster;
    ServerPtr server;
    // Of the latest look:
    absl::Time since;                       // the evidence is no older
    std::optional<absl::Status> refreshed;  // what the authority said
    int probes = 0;
    bool superseded = false;  // a newer server lives at its address
    // Of all of them:
    bool failed = false;  // a probe
    std::string why;      // it seems dead
    bool kept = false;
    bool held_back = false;

    ServerKey key() const { return {cluster.id, server->server_id}; }
  };
  using CasePtr = std::shared_ptr<Case>;
  using RemovalDone =
      absl::AnyInvocable<void(Impl&, absl::StatusOr<Removal>) &&>;

  // evictor.cc: a look, from the list to the verdict.
  void Refresh(const CasePtr& suspect, void (Impl::*next)(const CasePtr&));
  void Investigate(const CasePtr& suspect);
  void Probe(const CasePtr& suspect);
  void OnProbed(const CasePtr& suspect, ProbeResult result);
  void Convict(const CasePtr& suspect);
  void OnRemoval(const CasePtr& suspect, absl::StatusOr<Removal> removal);
  void ConvictOlderAtSameAddress(const Case& suspect);
  void LookAgainLater(const CasePtr& suspect, absl::Duration wait);

  void Clear(const Case& suspect);
  void Keep(const CasePtr& suspect, std::string_view why,
            absl::Duration look_again);
  void HoldBack(const CasePtr& suspect);
  void Stay(const CasePtr& suspect, absl::Duration look_again);
  void Close(const Case& suspect);

  void FollowOwnRenewal(Case& suspect) const;
  bool Replaced(const Case& suspect) const;
  bool Current(const CasePtr& suspect) const;
  void MarkFailed(const Case& suspect);

  // evictor_removal.cc: what evidence and people have removed.
  void Remove(const ClusterIdentity& cluster, const ServerPtr& server,
              absl::Time since, RemovalDone done);
  void TakeRemoval(const ClusterIdentity& cluster, const ServerPtr& server,
                   const Removal& removal, Claim claim);
  absl::StatusOr<SnapshotPtr> ClusterOf(const EvictCommand& command) const;
  void TellAftermath(const EvictCommand& command, const ServerKey& key,
                     const ServerPtr& removed, EvictDone done);

  EventLoop& loop_;
  Registry& registry_;
  Registrar& registrar_;
  Membership& membership_;
  Peers& peers_;
  SelfDoubt& doubt_;
  EvictionObserver& observer_;
  const EvictorOptions options_;
  absl::BitGen random_;
  EvictionHistory history_;
  absl::flat_hash_map<ServerKey, CasePtr> cases_;
  std::vector<std::weak_ptr<AftermathInquiry>> inquiries_;
  bool stopped_ = false;
};

}  // namespace coord

#endif  // SERVER_NODE_EVICTOR_IMPL_H_
