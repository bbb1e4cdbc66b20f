// Answers that say which request they belong to.
#ifndef SERVER_HTTP_CORRELATED_REPLY_H_
#define SERVER_HTTP_CORRELATED_REPLY_H_

#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "server/http/listener.h"

namespace coord {

// The correlation id of this step: the one that the request came with, raised
// (NextCorrelationId), or a fresh one. From now on `reply` adds it to the
// answer.
std::string Correlate(std::string_view received, absl::Time now,
                      HttpReply& reply);

}  // namespace coord

#endif  // SERVER_HTTP_CORRELATED_REPLY_H_
