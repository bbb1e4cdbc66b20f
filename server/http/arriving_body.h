// The body of a message that a connection is receiving.
#ifndef SERVER_HTTP_ARRIVING_BODY_H_
#define SERVER_HTTP_ARRIVING_BODY_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "server/http/body_source.h"

namespace coord {

// A connection, as its arriving body sees it.
class BodyReceiver {
 public:
  virtual ~BodyReceiver() = default;
  // OnPiece or OnEnd of the body is wanted, inside or later.
  virtual void OnBodyWanted() = 0;
  // The body was destroyed before its end.
  virtual void OnBodyGivenUp() = 0;
};

// Holds its receiver until the end.
class ArrivingBody final : public BodySource {
 public:
  ArrivingBody(std::shared_ptr<BodyReceiver> receiver,
               std::optional<std::uint64_t> length)
      : BodySource(length), receiver_(std::move(receiver)) {}
  ~ArrivingBody() override {
    if (receiver_ != nullptr) receiver_->OnBodyGivenUp();
  }

  void Read(Done done) override {
    done_ = std::move(done);
    if (const auto receiver = receiver_) return receiver->OnBodyWanted();
    Give();
  }

  bool wanted() const { return done_ != nullptr; }

  // Only when it is wanted; `piece` is not empty. May destroy this.
  void OnPiece(std::string piece) {
    rest_ = std::move(piece);
    Give();
  }

  // The receiver is free of it: it has `rest` to give, then `end`. May destroy
  // this.
  void OnEnd(std::string rest, absl::Status end) {
    const auto receiver = std::move(receiver_);
    rest_ = std::move(rest);
    end_ = std::move(end);
    if (wanted()) Give();
  }

 private:
  void Give() {
    Done done = std::exchange(done_, nullptr);
    if (!rest_.empty()) return std::move(done)(std::exchange(rest_, {}));
    if (!end_.ok()) return std::move(done)(end_);
    std::move(done)(std::string());
  }

  std::shared_ptr<BodyReceiver> receiver_;  // nullptr once it has all
  Done done_;
  std::string rest_;  // what has come and was not given
  absl::Status end_;
};

}  // namespace coord

#endif  // SERVER_HTTP_ARRIVING_BODY_H_
