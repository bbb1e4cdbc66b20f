#include "server/http/content_coding.h"

#include <zlib.h>

#include <array>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/text_view.h"

namespace coord {
namespace {

constexpr std::size_t kMaxCodings = 5;  // as curl allows
constexpr std::size_t kPieceBytes = 16 << 10;

constexpr std::array<std::string_view, 9> kHeadersOfBytes = {
    "accept-ranges",  "content-digest", "content-encoding",
    "content-length", "content-md5",    "content-range",
    "digest",         "etag",           "repr-digest"};

enum class Packing { kGzip, kDeflate };

std::optional<Packing> PackingOf(absl::string_view coding) {
  if (absl::EqualsIgnoreCase(coding, "gzip") ||
      absl::EqualsIgnoreCase(coding, "x-gzip")) {
    return Packing::kGzip;
  }
  if (absl::EqualsIgnoreCase(coding, "deflate")) return Packing::kDeflate;
  return std::nullopt;
}

// In the order in which they were applied, without identity.
std::vector<std::string> CodingsOf(const HttpHeaders& headers) {
  std::vector<std::string> codings;
  for (const HttpHeader& header : headers) {
    if (!absl::EqualsIgnoreCase(header.name, "content-encoding")) continue;
    for (absl::string_view coding : absl::StrSplit(header.value, ',')) {
      coding = absl::StripAsciiWhitespace(coding);
      if (coding.empty() || absl::EqualsIgnoreCase(coding, "identity")) {
        continue;
      }
      codings.emplace_back(coding);
    }
  }
  return codings;
}

// What zlib calls the format. By RFC 9110 deflate has zlib's header; many
// servers leave it out.
int WindowBits(Packing packing, std::string_view packed) {
  if (packing == Packing::kGzip) return 16 + MAX_WBITS;
  const auto byte = [packed](std::size_t i) {
    return static_cast<unsigned>(static_cast<unsigned char>(packed[i]));
  };
  const bool has_header = packed.size() >= 2 && byte(0) % 16 == Z_DEFLATED &&
                          (byte(0) * 256 + byte(1)) % 31 == 0;
  return has_header ? MAX_WBITS : -MAX_WBITS;
}

class Inflater {
 public:
  Inflater(Packing packing, std::string_view packed) : packing_(packing) {
    stream_.next_in = reinterpret_cast<const Bytef*>(packed.data());
    stream_.avail_in = static_cast<uInt>(packed.size());
    ready_ = inflateInit2(&stream_, WindowBits(packing, packed)) == Z_OK;
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  absl::StatusOr<std::string> Inflate(std::size_t max_bytes) {
    std::string inflated;
    std::array<Bytef, kPieceBytes> piece;
    while (ready_) {
      stream_.next_out = piece.data();
      stream_.avail_out = piece.size();
      const int result = inflate(&stream_, Z_NO_FLUSH);
      const std::size_t size = piece.size() - stream_.avail_out;
      if (size > max_bytes - inflated.size()) {
        return absl::OutOfRangeError(
            absl::StrCat("is over ", max_bytes, " bytes once unpacked"));
      }
      inflated.append(reinterpret_cast<const char*>(piece.data()), size);
      if (result == Z_STREAM_END && stream_.avail_in == 0) return inflated;
      if (result == Z_STREAM_END) {
        ready_ = StartNextMember();
      } else if (result != Z_OK) {  // Z_BUF_ERROR: it is cut short
        break;
      }
    }
    return absl::InvalidArgumentError(
        packing_ == Packing::kGzip ? "is not the gzip that it announces"
                                   : "is not the deflate that it announces");
  }

 private:
  // A gzip body may be several, one behind the other (RFC 1952, 2.2).
  bool StartNextMember() {
    return packing_ == Packing::kGzip && inflateReset(&stream_) == Z_OK;
  }

  const Packing packing_;
  z_stream stream_ = {};
  bool ready_ = false;
};

}  // namespace

bool IsCoded(const HttpHeaders& headers) { return !CodingsOf(headers).empty(); }

void DropHeadersOfBytes(HttpHeaders& headers) {
  std::erase_if(headers, [](const HttpHeader& header) {
    for (const std::string_view name : kHeadersOfBytes) {
      if (absl::EqualsIgnoreCase(header.name, AbslView(name))) return true;
    }
    return false;
  });
}

absl::Status UndoCodings(HttpHeaders& headers, std::string& body,
                         std::size_t max_bytes) {
  if (body.empty()) return absl::OkStatus();
  std::vector<std::string> codings = CodingsOf(headers);
  if (codings.empty() || !PackingOf(codings.back())) return absl::OkStatus();
  if (codings.size() > kMaxCodings) {
    return absl::InvalidArgumentError(
        absl::StrCat("has more than ", kMaxCodings, " content codings"));
  }
  std::string unpacked;
  std::string_view packed = body;
  while (!codings.empty()) {
    const std::optional<Packing> packing = PackingOf(codings.back());
    if (!packing) break;
    absl::StatusOr<std::string> inflated =
        Inflater(*packing, packed).Inflate(max_bytes);
    if (!inflated.ok()) return inflated.status();
    unpacked = *std::move(inflated);
    packed = unpacked;
    codings.pop_back();
  }
  body = std::move(unpacked);
  DropHeadersOfBytes(headers);
  if (!codings.empty()) {
    headers.push_back({"content-encoding", absl::StrJoin(codings, ", ")});
  }
  return absl::OkStatus();
}

}  // namespace coord
