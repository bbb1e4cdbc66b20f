// Protobuf's wire format, for what is sent too often to be built as messages.
// https://protobuf.dev/programming-guides/encoding
//
// What writes a message is a function over either of two outputs: WireSize,
// which counts, and WireWriter, which writes into as much room as was counted.
// Like protobuf's own code, such a function goes by ascending field numbers and
// leaves out what has its default value.
#ifndef SERVER_RPC_WIRE_H_
#define SERVER_RPC_WIRE_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace coord {

enum class WireType : std::uint32_t { kVarint = 0, kLengthDelimited = 2 };

class WireSize {
 public:
  void Varint(std::uint64_t value) {
    bytes_ += static_cast<std::size_t>(std::bit_width(value | 1) + 6) / 7;
  }
  void Bytes(std::string_view bytes) { bytes_ += bytes.size(); }
  void Skip(std::size_t bytes) { bytes_ += bytes; }
  std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_ = 0;
};

class WireWriter {
 public:
  explicit WireWriter(std::uint8_t* room) : next_(room) {}

  void Varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) {
      *next_++ = static_cast<std::uint8_t>(value | 0x80);
    }
    *next_++ = static_cast<std::uint8_t>(value);
  }
  void Bytes(std::string_view bytes) {
    std::memcpy(next_, bytes.data(), bytes.size());
    next_ += bytes.size();
  }

 private:
  std::uint8_t* next_;
};

template <typename Put>
std::size_t SizeOf(const Put& put) {
  WireSize size;
  put(size);
  return size.bytes();
}

template <typename Out>
void PutTag(Out& out, int field, WireType type) {
  out.Varint(static_cast<std::uint32_t>(field) << 3 |
             static_cast<std::uint32_t>(type));
}

// Of an int32, int64, bool or enum field.
template <typename Out>
void PutNumber(Out& out, int field, std::int64_t value) {
  if (value == 0) return;
  PutTag(out, field, WireType::kVarint);
  out.Varint(static_cast<std::uint64_t>(value));
}

// Of a packed repeated field of such numbers.
template <typename Out, typename Numbers>
void PutNumbers(Out& out, int field, const Numbers& numbers) {
  if (numbers.empty()) return;
  PutMessage(out, field, [&numbers](auto& to) {
    for (const std::int64_t number : numbers) {
      to.Varint(static_cast<std::uint64_t>(number));
    }
  });
}

// Of a string or bytes field. A string must be valid UTF-8.
template <typename Out>
void PutBytes(Out& out, int field, std::string_view bytes) {
  if (bytes.empty()) return;
  PutTag(out, field, WireType::kLengthDelimited);
  out.Varint(bytes.size());
  out.Bytes(bytes);
}

// A message in a field, also an empty one; `put` writes it to any output.
template <typename Out, typename Put>
void PutMessage(Out& out, int field, const Put& put) {
  const std::size_t size = SizeOf(put);
  PutTag(out, field, WireType::kLengthDelimited);
  out.Varint(size);
  if constexpr (requires { out.Skip(size); }) {
    out.Skip(size);
  } else {
    put(out);
  }
}

// The whole message that `put` writes.
template <typename Put>
grpc::ByteBuffer MessageOf(const Put& put) {
  grpc_slice room = grpc_slice_malloc(SizeOf(put));
  WireWriter writer(GRPC_SLICE_START_PTR(room));
  put(writer);
  const grpc::Slice slice(room, grpc::Slice::STEAL_REF);
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace coord

#endif  // SERVER_RPC_WIRE_H_
