// What becomes of a server that somebody had removed by hand.
#ifndef SERVER_NODE_AFTERMATH_H_
#define SERVER_NODE_AFTERMATH_H_

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "common/event_loop.h"
#include "server/core/membership.h"
#include "server/core/server.h"
#include "server/node/peers.h"

namespace coord {

struct Aftermath {
  enum class Kind {
    kUnknown,   // no probe was answered, and none failed, in time
    kGone,      // a probe failed
    kAlive,     // a probe was answered; it is not registered again so far
    kReturned,  // it is registered again
  };
  Kind kind = Kind::kUnknown;
  std::string probe;   // what a probe said, if it said anything
  ServerPtr returned;  // its new record, for kReturned
};

struct AftermathQuestion {
  ServerKey key;
  RecordVersion removed;
  Server target;  // where the server is probed
  // The answer comes within this time.
  absl::Duration limit;
};

// A question that has no answer yet; lives on the loop.
class AftermathInquiry {
 public:
  virtual ~AftermathInquiry() = default;
  // Answers now, with what is known.
  virtual void End() = 0;
};

// Probes the server once and looks whether it is registered again; one that
// answers gets two seconds for that. Called on `loop`, where `done` is called,
// too. All must outlive the loop's run.
std::weak_ptr<AftermathInquiry> AskAftermath(
    EventLoop& loop, const Membership& membership, Peers& peers,
    AftermathQuestion question, absl::AnyInvocable<void(Aftermath) &&> done);

}  // namespace coord

#endif  // SERVER_NODE_AFTERMATH_H_
