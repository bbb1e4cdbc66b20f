#include <string>

#include "absl/strings/str_cat.h"
#include "common/utf8.h"
#include "server/fanout/splice.h"
#include "tests/fuzz/must.h"

// Any answer of a node: what is cut out of it must be JSON by itself, since it
// goes into the aggregate as it is.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  static coord::NodeBodyReader reader;
  const std::string body(coord::Input(data, size));
  const coord::NodeBody read = reader.Read("application/json", body);
  coord::Must(coord::IsValidUtf8(read.server_id));
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
