#include "server/node/aftermath.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace coord {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(50);
// For one that lives: its owner hears of the removal, probes it and registers
// it again.
constexpr absl::Duration kMayReturn = absl::Seconds(2);

// Owned by the timer and the probe that it waits for.
class Inquiry final : public AftermathInquiry,
                      public std::enable_shared_from_this<Inquiry> {
 public:
  Inquiry(EventLoop& loop, const Membership& membership,
          AftermathQuestion question,
          absl::AnyInvocable<void(Aftermath) &&> done)
      : loop_(loop),
        membership_(membership),
        question_(std::move(question)),
        end_(loop.Now() + question_.limit),
        done_(std::move(done)) {}

  void Start(Peers& peers) {
    if (question_.limit <= absl::ZeroDuration()) return Look();
    peers.Probe(question_.target,
                [self = shared_from_this()](const ProbeResult& result) {
                  self->OnProbed(result);
                });
    Look();
  }

  void End() override {
    if (!done_) return;
    end_ = loop_.Now();
    loop_.Cancel(timer_);
    Look();
  }

 private:
  void OnProbed(const ProbeResult& result) {
    if (!done_) return;
    answer_.probe = result.why;
    if (result.answered) answer_.kind = Aftermath::Kind::kAlive;
    if (!result.alive) answer_.kind = Aftermath::Kind::kGone;
    end_ = std::min(
        end_, loop_.Now() + (result.alive ? kMayReturn : absl::ZeroDuration()));
    loop_.Cancel(timer_);
    Look();
  }

  void Look() {
    const ServerPtr member = membership_.Find(question_.key);
    const absl::Time now = loop_.Now();
    if (member != nullptr && member->version != question_.removed) {
      answer_.kind = Aftermath::Kind::kReturned;
      answer_.returned = member;
    } else if (now < end_) {
      timer_ = loop_.RunAfter(std::min(kLook, end_ - now),
                              [self = shared_from_this()] { self->Look(); });
      return;
    }
    std::move(std::exchange(done_, nullptr))(std::move(answer_));
  }

  EventLoop& loop_;
  const Membership& membership_;
  const AftermathQuestion question_;
  absl::Time end_;
  absl::AnyInvocable<void(Aftermath) &&> done_;  // nullptr: it was told
  Aftermath answer_;
  TimerId timer_ = kNoTimer;
};

}  // namespace

std::weak_ptr<AftermathInquiry> AskAftermath(
    EventLoop& loop, const Membership& membership, Peers& peers,
    AftermathQuestion question, absl::AnyInvocable<void(Aftermath) &&> done) {
  auto inquiry = std::make_shared<Inquiry>(
      loop, membership, std::move(question), std::move(done));
  inquiry->Start(peers);
  return inquiry;
}

}  // namespace coord
