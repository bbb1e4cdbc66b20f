// Sends a body as its source gives it.
#ifndef SERVER_HTTP_BODY_WRITER_H_
#define SERVER_HTTP_BODY_WRITER_H_

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/system/error_code.hpp>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "server/http/body_source.h"

namespace coord {

class BodySender;

// Asks for a piece when the one before has left, so that there is never more
// than one. Lives on the loop; whoever made it stops it before the connection
// goes.
class BodyWriter : public std::enable_shared_from_this<BodyWriter> {
 public:
  enum class Framing { kAsItIs, kChunked };
  enum class End { kWhole, kSourceBroke, kWriteFailed };
  using Buffers = std::array<boost::asio::const_buffer, 3>;
  using Written = absl::AnyInvocable<void(boost::system::error_code) &&>;

  BodyWriter(std::unique_ptr<BodySource> source, Framing framing,
             std::weak_ptr<BodySender> sender);

  // OnStreamed may be called inside.
  void Start();
  // Gives up the source; nothing is called after.
  void Stop();

 private:
  void Next();
  void OnPiece(absl::StatusOr<std::string> piece);
  void OnWritten(boost::system::error_code error);
  void Finish(End end);

  std::unique_ptr<BodySource> source_;  // nullptr: over
  const Framing framing_;
  const std::weak_ptr<BodySender> sender_;
  bool at_end_ = false;
  std::string size_line_;
  std::string piece_;
};

// A connection, as the writer of a body sees it.
class BodySender {
 public:
  virtual ~BodySender() = default;
  // Writes all of the buffers, which live until the call of `written`, or its
  // destruction; never calls it inside.
  virtual void WritePiece(const BodyWriter::Buffers& buffers,
                          BodyWriter::Written written) = 0;
  // Once.
  virtual void OnStreamed(BodyWriter::End end) = 0;
};

}  // namespace coord

#endif  // SERVER_HTTP_BODY_WRITER_H_
