// Places for what is open for long.
#ifndef SERVER_RPC_SLOTS_H_
#define SERVER_RPC_SLOTS_H_

#include <atomic>
#include <memory>
#include <optional>
#include <utility>

namespace coord {

// Thread-safe. What was taken may outlive it.
class Slots {
 public:
  // Given back at its end.
  class Slot {
   public:
    explicit Slot(std::shared_ptr<std::atomic<int>> taken)
        : taken_(std::move(taken)) {}
    Slot(Slot&&) noexcept = default;
    Slot& operator=(Slot&& other) noexcept {
      std::swap(taken_, other.taken_);
      return *this;
    }
    ~Slot() {
      if (taken_ != nullptr) --*taken_;
    }

   private:
    std::shared_ptr<std::atomic<int>> taken_;
  };

  explicit Slots(int limit) : limit_(limit) {}

  // nullopt when all are taken.
  std::optional<Slot> Take() {
    if (++*taken_ <= limit_) return Slot(taken_);
    --*taken_;
    return std::nullopt;
  }

  int limit() const { return limit_; }

 private:
  const int limit_;
  const std::shared_ptr<std::atomic<int>> taken_ =
      std::make_shared<std::atomic<int>>(0);
};

}  // namespace coord

#endif  // SERVER_RPC_SLOTS_H_
