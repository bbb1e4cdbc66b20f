#include "server/http/body_writer.h"

#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"

namespace coord {
namespace {

constexpr std::string_view kChunkEnd = "\r\n";
constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace

BodyWriter::BodyWriter(std::unique_ptr<BodySource> source, Framing framing,
                       std::weak_ptr<BodySender> sender)
    : source_(std::move(source)),
      framing_(framing),
      sender_(std::move(sender)) {}

void BodyWriter::Start() { Next(); }

void BodyWriter::Stop() {
  // Destroying it may come back here.
  const auto source = std::move(source_);
}

void BodyWriter::Next() {
  source_->Read([weak = weak_from_this()](absl::StatusOr<std::string> piece) {
    if (const auto self = weak.lock()) self->OnPiece(std::move(piece));
  });
}

void BodyWriter::OnPiece(absl::StatusOr<std::string> piece) {
  if (source_ == nullptr) return;
  if (!piece.ok()) return Finish(End::kSourceBroke);
  at_end_ = piece->empty();
  piece_ = *std::move(piece);
  Buffers buffers;
  if (framing_ == Framing::kAsItIs) {
    if (at_end_) return Finish(End::kWhole);
    buffers[0] = boost::asio::buffer(piece_);
  } else if (at_end_) {
    buffers[0] = boost::asio::buffer(kLastChunk);
  } else {
    size_line_ = absl::StrCat(absl::Hex(piece_.size()), "\r\n");
    buffers = {boost::asio::buffer(size_line_), boost::asio::buffer(piece_),
               boost::asio::buffer(kChunkEnd)};
  }
  const auto sender = sender_.lock();
  if (sender == nullptr) return;
  sender->WritePiece(
      buffers, [self = shared_from_this()](boost::system::error_code error) {
        self->OnWritten(error);
      });
}

void BodyWriter::OnWritten(boost::system::error_code error) {
  if (source_ == nullptr) return;
  if (error) return Finish(End::kWriteFailed);
  if (at_end_) return Finish(End::kWhole);
  Next();
}

void BodyWriter::Finish(End end) {
  Stop();
  if (const auto sender = sender_.lock()) sender->OnStreamed(end);
}

}  // namespace coord
