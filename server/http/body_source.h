// A body that is passed on while it arrives.
#ifndef SERVER_HTTP_BODY_SOURCE_H_
#define SERVER_HTTP_BODY_SOURCE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"

namespace coord {

// The rest of a message whose head has come. It reads from its connection only
// what it is asked for: who does not ask slows the sender down. Lives on the
// loop of whoever made it; destroying it gives up what has not been read, and
// with it the connection.
class BodySource {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<std::string>) &&>;

  virtual ~BodySource() = default;

  // Gives the next piece, some 64 KiB at the most; an empty one is the end. An
  // error: the body broke off, what came is incomplete. `done` is called on the
  // loop, inside Read when there is something to give, and as the last thing
  // that Read does: it may destroy the source. It is not called when the source
  // is destroyed before. One Read at a time; the end and errors come again.
  virtual void Read(Done done) = 0;

  // Its size in bytes, when the head told it.
  std::optional<std::uint64_t> length() const { return length_; }

 protected:
  explicit BodySource(std::optional<std::uint64_t> length) : length_(length) {}

 private:
  const std::optional<std::uint64_t> length_;
};

}  // namespace coord

#endif  // SERVER_HTTP_BODY_SOURCE_H_
