// Answers that are passed on while they arrive.
#include <optional>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/http/connection.h"

namespace coord {

// The rest of the answer; its connection reads when it is asked.
class Connection::Answer final : public BodySource {
 public:
  Answer(std::shared_ptr<Connection> connection,
         std::optional<std::uint64_t> length)
      : BodySource(length), connection_(std::move(connection)) {}

  ~Answer() override {
    if (connection_ == nullptr) return;
    connection_->answer_ = nullptr;
    connection_->Release(false);
  }

  void Read(Done done) override {
    if (connection_ != nullptr && connection_->open_) {
      rest_ = connection_->parser_.TakePiece();
      if (rest_.empty()) {
        done_ = std::move(done);
        if (!connection_->reading_) connection_->Read();
        return;
      }
    } else if (connection_ != nullptr) {
      end_ = absl::UnavailableError("the client is gone");
    }
    Give(std::move(done));
  }

  bool waits() const { return done_ != nullptr; }

  void OnPiece(std::string piece) {
    rest_ = std::move(piece);
    Give(std::exchange(done_, nullptr));
  }

  // The connection is free of it.
  void OnEnd(std::string rest, absl::Status end) {
    connection_ = nullptr;
    rest_ = std::move(rest);
    end_ = std::move(end);
    if (done_) Give(std::exchange(done_, nullptr));
  }

 private:
  void Give(Done done) {
    if (!rest_.empty()) return std::move(done)(std::exchange(rest_, {}));
    if (!end_.ok()) return std::move(done)(end_);
    std::move(done)(std::string());
  }

  std::shared_ptr<Connection> connection_;  // nullptr once it has all
  Done done_;
  std::string rest_;  // what has come and was not given
  absl::Status end_;
};

// A part of a streamed answer has come.
void Connection::PassOn() {
  if (answer_ != nullptr) {
    std::string piece = parser_.TakePiece();
    if (!piece.empty()) answer_->OnPiece(std::move(piece));
    return;
  }
  auto answer = std::make_unique<Answer>(shared_from_this(), parser_.length());
  answer_ = answer.get();
  HttpResponse head = parser_.TakeHead();
  head.stream = std::move(answer);
  Done done = std::move(done_);
  done_ = nullptr;
  std::move(done)(std::move(head), false);
}

bool Connection::WantsPiece() const { return answer_->waits(); }

void Connection::EndAnswer(HttpOutcome outcome, bool reusable) {
  const auto self = shared_from_this();
  Answer* const answer = std::exchange(answer_, nullptr);
  absl::Status end;
  std::string rest;
  if (auto* error = std::get_if<HttpError>(&outcome)) {
    rest = parser_.TakePiece();
    end = absl::UnavailableError(error->message);
  } else {
    rest = std::get<HttpResponse>(std::move(outcome)).body;
  }
  // The next request may start on this connection at once.
  Release(reusable);
  answer->OnEnd(std::move(rest), std::move(end));
}

void Connection::Release(bool reusable) {
  Released released = std::move(released_);
  released_ = nullptr;
  if (released) std::move(released)(reusable);
}

}  // namespace coord
