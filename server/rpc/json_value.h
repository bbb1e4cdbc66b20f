// google.protobuf.Value and JSON text, both ways.
#ifndef SERVER_RPC_JSON_VALUE_H_
#define SERVER_RPC_JSON_VALUE_H_

#include <google/protobuf/struct.pb.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace coord {

struct JsonLimits {
  std::size_t max_bytes = 4096;
  int max_depth = 32;
};

// Whole numbers up to 2^53 are written without a fraction, members in order of
// their names. Errors: INVALID_ARGUMENT (too long, too deep, a number that is
// not finite, a value of no kind); the message is a field description.
absl::StatusOr<std::string> JsonFromValue(const google::protobuf::Value& value,
                                          JsonLimits limits = {});

// Text that is not JSON, or deeper than any of ours, becomes null.
void ValueFromJson(std::string_view json, google::protobuf::Value* value);

}  // namespace coord

#endif  // SERVER_RPC_JSON_VALUE_H_
