// Counts suspicions and evictions for whoever keeps metrics.
#ifndef SERVER_NODE_EVICTION_OBSERVER_H_
#define SERVER_NODE_EVICTION_OBSERVER_H_

namespace coord {

// Why a server was removed that did not ask for it.
enum class EvictionCause {
  kUnreachable,  // calls could not reach it, nor could probes
  kSameAddress,  // a newer server lives at its address
  kManual,       // somebody asked for it by EvictServer
  kSession,      // held here, and not kept alive within its ttl
  kProbe,        // held here, and failed our probes
  kLease,        // did not renew with this process as its authority
  kPeer,         // another server removed it, or said that it is gone
  kAuthority,    // held here, and no longer listed by the authority
};

// Thread-safe.
class EvictionObserver {
 public:
  virtual ~EvictionObserver() = default;
  // A server is suspected, for as long as it takes to know better.
  virtual void OnSuspected() = 0;
  // A suspicion ended otherwise than by our removal: the server answered, was
  // replaced, or was removed by somebody else.
  virtual void OnCleared() = 0;
  // A suspect is to be removed but stays: SUSPECTED. Once for each suspicion.
  virtual void OnKept() = 0;
  // The same, because this process suspects itself.
  virtual void OnHeldBack() = 0;
  // A server was removed from its cluster; never kLease, which the embedded
  // registry counts (EmbeddedRegistry::expired).
  virtual void OnEvicted(EvictionCause cause) = 0;
};

}  // namespace coord

#endif  // SERVER_NODE_EVICTION_OBSERVER_H_
