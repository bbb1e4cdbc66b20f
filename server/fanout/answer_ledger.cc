#include "server/fanout/answer_ledger.h"

#include <algorithm>

#include "server/http/transport.h"

namespace coord {

bool AnswerLedger::MaySend(int in_flight) const {
  if (in_flight == 0 && unread_ == 0) return true;
  const std::size_t to_come =
      kUnaskedAnswerBytes * static_cast<std::size_t>(in_flight + 1);
  return held() + to_come <= limit_;
}

bool AnswerLedger::Fits(Node node, std::size_t bytes) {
  if (held() + bytes <= limit_ || beyond_ == node) return true;
  if (beyond_ || unread_ > 0) return false;
  beyond_ = node;
  return true;
}

bool AnswerLedger::Grow(Node node, std::size_t bytes) {
  const bool has_turn = held_up_.empty() || beyond_ == node;
  if (!has_turn || !Fits(node, bytes)) {
    held_up_.push_back({node, bytes});
    return false;
  }
  arriving_ += bytes;
  return true;
}

std::optional<AnswerLedger::HeldUp> AnswerLedger::NextToGoOn() {
  if (held_up_.empty()) return std::nullopt;
  const HeldUp next = held_up_.front();
  if (!Fits(next.node, next.bytes)) return std::nullopt;
  held_up_.pop_front();
  arriving_ += next.bytes;
  return next;
}

void AnswerLedger::End(Node node, std::size_t grown) {
  arriving_ -= grown;
  if (beyond_ == node) beyond_.reset();
  std::erase_if(held_up_,
                [node](const HeldUp& each) { return each.node == node; });
}

}  // namespace coord
