// How requests and answers change on their way through the proxy: between a
// cluster and a service that knows nothing of one.
#ifndef SERVER_NODE_PROXIED_MESSAGES_H_
#define SERVER_NODE_PROXIED_MESSAGES_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "server/fanout/splice.h"
#include "server/http/listener.h"
#include "server/http/message.h"
#include "server/http/transport.h"

namespace coord {

// The headers for the service: without those of one connection (RFC 9110,
// 7.6.1, and those that Connection names), without Host, the framing and
// Expect; with the correlation id of this step and our Via. Encoded answers
// can't be read, so none are asked for; nor is a part of an answer that will
// get an envelope.
HttpHeaders ProxiedRequestHeaders(const HttpHeaders& received,
                                  std::string_view correlation_id);

// The answers to `request` that the caller gets as they are, whatever their
// size: all that ProxiedAnswer gives no envelope.
StreamedAnswers StreamedAnswersTo(const HttpServerRequest& request);

// The service's answer to `request` as the cluster of server `server_id` wants
// it. Whoever calls through a cluster takes a 2xx answer for that server's only
// if it names the server, and a genuine node evicts who doesn't; so every 2xx
// answer becomes `{"data":…,"server":{"serverId":…}}` with its own status, but
// 200 for 204, 205 and 206. `data` is, as ReadAnswerBody reads the answer,
// - the answer's body, where that is JSON. One that has `server.serverId`
//   already stays as it is;
// - null, where there is no body;
// - a string, where the body is anything else in UTF-8;
// - else a string again: a data URL (RFC 2397).
// Headers that describe the body that was (its type, coding, length, digests,
// ranges, entity tag, place and name) are dropped; so they are from an answer
// to HEAD, which tells of the envelope, too. What can't be read as what it
// announces is 406, what is over `max_body_bytes` once unpacked 413, both with
// a Proxy-Status: the caller may have it as it is by an Accept without JSON,
// and a 5xx would have a live server evicted. Left as they are: answers of any
// other status, and all answers to a caller whose Accept rules JSON out.
// Headers of one connection are dropped from every answer.
HttpResponse ProxiedAnswer(HttpResponse answer,
                           const HttpServerRequest& request,
                           std::string_view server_id,
                           std::size_t max_body_bytes, NodeBodyReader& reader);

// What to answer when the service did not, or not well: 429, 413, 502 or 504.
HttpResponse ProxyFailure(const HttpError& error);

}  // namespace coord

#endif  // SERVER_NODE_PROXIED_MESSAGES_H_
