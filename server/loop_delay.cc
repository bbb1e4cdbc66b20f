#include "server/loop_delay.h"

#include <algorithm>
#include <utility>

namespace coord {
namespace {

// What is later counts as this: a process may have been stopped for days.
constexpr absl::Duration kMost = absl::Minutes(1);

}  // namespace

LoopDelay::LoopDelay(EventLoop& loop, std::function<void(absl::Duration)> tell)
    : loop_(loop), tell_(std::move(tell)) {
  loop_.Post([this] { Arm(); });
}

void LoopDelay::Arm() {
  due_ = loop_.Now() + kPeriod;
  loop_.RunAfter(kPeriod, [this] { Tick(); });
}

void LoopDelay::Tick() {
  const absl::Duration late = std::min(loop_.Now() - due_, kMost);
  for (absl::Duration left = late; left >= absl::ZeroDuration();
       left -= kPeriod) {
    tell_(left);
  }
  Arm();
}

}  // namespace coord
