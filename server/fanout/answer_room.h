// Room in a unary answer for what must be told of every server, whatever
// becomes of it.
#ifndef SERVER_FANOUT_ANSWER_ROOM_H_
#define SERVER_FANOUT_ANSWER_ROOM_H_

#include "absl/status/status.h"
#include "server/fanout/answer_format.h"
#include "server/fanout/call.h"
#include "server/fanout/call_plan.h"

namespace coord {

// Sets aside, before anything is sent: all of the answer but its outcomes, and
// for each of `plan` a failure with its server_id, a message and the largest
// numbers. Base URLs are told of all servers where they take no more than half
// of the answer, else of none: members are looked up by their id. The rest of
// the answer goes to whoever arrives first. Errors: RESOURCE_EXHAUSTED ·
// ANSWER_TOO_LARGE, the least that must be told is over the limit.
absl::Status ReserveRoom(const FanOutCall& call, const AnswerFormat& format,
                         CallPlan& plan);

}  // namespace coord

#endif  // SERVER_FANOUT_ANSWER_ROOM_H_
