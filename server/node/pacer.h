// Jobs of which many may come at one time, at a pace that leaves the loop free.
#ifndef SERVER_NODE_PACER_H_
#define SERVER_NODE_PACER_H_

#include <deque>
#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "common/event_loop.h"

namespace coord {

struct Pace {
  int at_once = 1024;  // begun and not ended
  // Begun within `turn`, so that timers and answers have their turn as well.
  int each_turn = 16;
  absl::Duration turn = absl::Milliseconds(4);
};

// Begins jobs in the order in which they come, now or later. Lives on the loop.
class Pacer final : public std::enable_shared_from_this<Pacer> {
 public:
  // The job goes on for as long as this lives.
  class Permit {
   public:
    explicit Permit(std::weak_ptr<Pacer> pacer) : pacer_(std::move(pacer)) {}
    Permit(Permit&&) = default;
    Permit& operator=(Permit&&) = delete;
    ~Permit() {
      if (auto pacer = pacer_.lock()) pacer->End();
    }

   private:
    std::weak_ptr<Pacer> pacer_;  // empty once moved from
  };
  using Job = absl::AnyInvocable<void(Permit) &&>;

  Pacer(EventLoop& loop, const Pace& pace) : loop_(loop), pace_(pace) {}

  // Calls `job` now, inside, if the pace allows. One that still waits when this
  // object is destroyed is never called.
  void Start(Job job);

 private:
  void End();
  bool Free();
  void Begin(Job job);
  // While jobs wait: when the turn ends, or a job does.
  void GoOn();
  void GoOnAfterTurn();

  EventLoop& loop_;
  const Pace pace_;
  std::deque<Job> waiting_;
  int running_ = 0;
  int begun_ = 0;  // in this turn
  absl::Time turn_end_ = absl::InfinitePast();
  bool timer_set_ = false;
};

}  // namespace coord

#endif  // SERVER_NODE_PACER_H_
