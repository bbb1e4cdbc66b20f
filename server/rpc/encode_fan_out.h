// The answers of fan-outs as they go onto the wire.
#ifndef SERVER_RPC_ENCODE_FAN_OUT_H_
#define SERVER_RPC_ENCODE_FAN_OUT_H_

#include <grpcpp/support/byte_buffer.h>

#include "server/fanout/answer_format.h"
#include "server/fanout/call.h"

namespace coord {

// Each is what protobuf would make of the message, written straight from our
// structs: the messages of 10 outcomes are 300 objects, which took a quarter of
// their call's instructions. Texts must be clean (CleanTexts), as the engine
// leaves them.

// A FanOutResponse.
grpc::ByteBuffer EncodeAnswer(FanOutAnswer answer);
// A StreamFanOutResponse: one outcome, or the end.
grpc::ByteBuffer EncodeEvent(NodeOutcome outcome);
grpc::ByteBuffer EncodeEvent(FanOutSummary summary);

// How large they get.
const AnswerFormat& WireFormat();

}  // namespace coord

#endif  // SERVER_RPC_ENCODE_FAN_OUT_H_
