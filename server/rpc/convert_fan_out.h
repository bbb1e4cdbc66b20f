// Protobuf and our structs, both ways: fan-outs and HTTP messages.
#ifndef SERVER_RPC_CONVERT_FAN_OUT_H_
#define SERVER_RPC_CONVERT_FAN_OUT_H_

#include <google/protobuf/repeated_ptr_field.h>

#include "absl/status/statusor.h"
#include "mimik/cluster/v1/fan_out_service.pb.h"
#include "server/fanout/call.h"
#include "server/http/message.h"
#include "server/rpc/convert.h"

namespace coord {

// Values are escaped: an answer's headers are anybody's bytes.
void ToProto(HttpHeaders headers,
             google::protobuf::RepeatedPtrField<pb::Header>* out);

// All but what comes from the call's context (time left, correlation id). What
// the fields mean, and so most of what may be wrong with them, is the engine's
// to judge. Errors: INVALID_ARGUMENT, with fields named as in FanOutRequest.
absl::StatusOr<FanOutCall> FromProto(const pb::FanOutRequest& request);

}  // namespace coord

#endif  // SERVER_RPC_CONVERT_FAN_OUT_H_
