// The chunked coding of answers (RFC 9112, 7.1), undone.
#ifndef SERVER_HTTP_CHUNKED_BODY_H_
#define SERVER_HTTP_CHUNKED_BODY_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace coord {

// One body, which comes in pieces. Extensions and trailers are dropped. As curl
// does, it takes blanks behind a size and, from a server that ends its lines
// so, bare LFs.
class ChunkedBody {
 public:
  // Takes bytes from the front of `data`, appends to `body` what they carry and
  // tells by `taken` how many they were. What was not taken comes first in the
  // next call, with more behind it: it is a part of one line, or follows the
  // body. All chunks may carry `max_body_bytes` in all.
  // Errors: INVALID_ARGUMENT with what is wrong; RESOURCE_EXHAUSTED where a
  // chunk is announced that goes over `max_body_bytes`.
  absl::Status Take(std::string_view data, std::uint64_t max_body_bytes,
                    std::size_t& taken, std::string& body);

  // Whether the body is whole.
  bool done() const { return next_ == Next::kNothing; }

 private:
  enum class Next { kSize, kData, kDataEnd, kTrailer, kNothing };

  // These take what comes next from the front of `data`, `size` bytes of it; 0
  // while it is not whole.
  absl::Status TakeLine(std::string_view data, std::uint64_t max_body_bytes,
                        std::size_t& size);
  absl::Status TakeDataEnd(std::string_view data, std::size_t& size);
  std::size_t TakeData(std::string_view data, std::string& body);
  absl::Status TakeSize(std::string_view line, std::uint64_t max_body_bytes);

  Next next_ = Next::kSize;
  std::uint64_t left_ = 0;       // of the chunk
  std::uint64_t announced_ = 0;  // by all chunks
  bool bare_lf_ = false;         // ended the chunk's size
  std::size_t trailer_bytes_ = 0;
};

}  // namespace coord

#endif  // SERVER_HTTP_CHUNKED_BODY_H_
