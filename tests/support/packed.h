// Bodies in the content codings of HTTP.
#ifndef TESTS_SUPPORT_PACKED_H_
#define TESTS_SUPPORT_PACKED_H_

#include <zlib.h>

#include <string>
#include <utility>

namespace coord {

// The formats by zlib's numbers for them.
enum class PackedAs { kGzip = 16 + 15, kZlib = 15, kRawDeflate = -15 };

inline std::string Packed(std::string text, PackedAs format) {
  z_stream stream = {};
  deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED,
               static_cast<int>(format), 8, Z_DEFAULT_STRATEGY);
  std::string packed(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(text.data());
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

inline std::string Gzip(std::string text) {
  return Packed(std::move(text), PackedAs::kGzip);
}

}  // namespace coord

#endif  // TESTS_SUPPORT_PACKED_H_
