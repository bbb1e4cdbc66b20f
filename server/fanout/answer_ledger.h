// What one call holds of its servers' answers, in bytes.
#ifndef SERVER_FANOUT_ANSWER_LEDGER_H_
#define SERVER_FANOUT_ANSWER_LEDGER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

namespace coord {

// Counts what arrives from servers and what waits for the call's reader, and
// keeps both within a limit: an answer that does not fit is held up, in order
// of arrival, until something has left. What a connection's first read may
// bring is not asked for; MaySend counts it for those in flight.
//
// So that answers which have arrived by half don't wait for each other for
// ever, one at a time may grow beyond the limit while nothing waits for the
// reader. What is held is therefore the limit and one answer at the most.
//
// Lives on the loop of its call.
class AnswerLedger {
 public:
  using Node = std::uint32_t;
  struct HeldUp {
    Node node;
    std::size_t bytes;
  };

  explicit AnswerLedger(std::size_t limit) : limit_(limit) {}

  // Whether one more request may be sent while `in_flight` are. Always, if
  // nothing is held at all.
  bool MaySend(int in_flight) const;

  // The answer of `node` is about to grow by `bytes`. False: it has to wait
  // until NextToGoOn names it.
  bool Grow(Node node, std::size_t bytes);

  // Whose answer may go on now, by what it has asked for.
  std::optional<HeldUp> NextToGoOn();

  // The answer of `node`, which has grown by `grown` in all, is whole or given
  // up.
  void End(Node node, std::size_t grown);

  // So much waits for the reader; it has taken so much.
  void Deliver(std::size_t bytes) { unread_ += bytes; }
  void Take(std::size_t bytes) { unread_ -= bytes; }

  // Whether answers are held up.
  bool holds_up() const { return !held_up_.empty(); }
  bool full() const { return held() >= limit_; }
  std::size_t unread() const { return unread_; }
  std::size_t held() const { return arriving_ + unread_; }

 private:
  bool Fits(Node node, std::size_t bytes);

  const std::size_t limit_;
  std::size_t arriving_ = 0;
  std::size_t unread_ = 0;
  std::optional<Node> beyond_;  // whose answer may grow beyond the limit
  std::deque<HeldUp> held_up_;
};

}  // namespace coord

#endif  // SERVER_FANOUT_ANSWER_LEDGER_H_
