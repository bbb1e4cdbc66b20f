// Answers that say which request they belong to.
#ifndef SERVER_HTTP_CORRELATED_REPLY_H_
#define SERVER_HTTP_CORRELATED_REPLY_H_

#include <string>

#include "server/http/listener.h"

namespace coord {

// `reply` with the x-correlation-id `id` added to the answer.
HttpReply WithCorrelationId(HttpReply reply, std::string id);

}  // namespace coord

#endif  // SERVER_HTTP_CORRELATED_REPLY_H_
