#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/utf8.h"
#include "server/fanout/answer_body.h"
#include "server/fanout/splice.h"
#include "tests/fuzz/must.h"

constexpr std::size_t kMaxBytes = 1 << 20;

// Any answer of a node, packed or not: what is cut out of it must be JSON by
// itself, since it goes into the aggregate as it is.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  static coord::NodeBodyReader reader;
  std::string body(coord::Input(data, size));
  coord::HttpHeaders headers = {{"content-type", "application/json"},
                                {"content-encoding", "gzip"}};
  const coord::AnswerBody answer =
      coord::ReadAnswerBody(200, headers, body, kMaxBytes, reader);
  const coord::NodeBody& read = answer.json;
  coord::Must(coord::IsValidUtf8(read.server_id));
  coord::Must(body.size() <= std::max(size, kMaxBytes));
  if (read.kind != coord::NodeBody::Kind::kJson || read.data.empty()) return 0;

  coord::Must(read.has_data);
  const std::string spliced =
      absl::StrCat("{\"data\":[", std::string(read.data), "]}");
  coord::NodeBodyReader other;
  const coord::NodeBody again = other.Read("application/json", spliced);
  coord::Must(again.kind == coord::NodeBody::Kind::kJson);
  coord::Must(again.data.find_first_not_of(" \t\r\n") != again.data.npos);
  return 0;
}
