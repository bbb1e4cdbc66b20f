// Answers that say which request they belong to.
#ifndef SERVER_HTTP_CORRELATED_REPLY_H_
#define SERVER_HTTP_CORRELATED_REPLY_H_

#include <string_view>

#include "absl/time/time.h"
#include "server/http/listener.h"

namespace coord {

// `reply` with the x-correlation-id that follows the one `received`, which may
// be empty, added to the answer.
HttpReply Correlated(std::string_view received, absl::Time now,
                     HttpReply reply);

}  // namespace coord

#endif  // SERVER_HTTP_CORRELATED_REPLY_H_
