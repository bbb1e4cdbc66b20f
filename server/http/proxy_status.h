// How our proxy tells, beside a status, what was wrong with the answer that it
// got (Proxy-Status, RFC 9209): so a fan-out can tell the same of a service
// behind a proxy as of one that it calls itself.
#ifndef SERVER_HTTP_PROXY_STATUS_H_
#define SERVER_HTTP_PROXY_STATUS_H_

#include <optional>

#include "server/http/message.h"

namespace coord {

enum class ProxyFault {
  kTooLarge,
  kUnreadable,  // not of the coding or the type that it announces
};

HttpHeader ProxyStatusOf(ProxyFault fault);
// nullopt: the answer does not come from a proxy of ours, or tells of none of
// these.
std::optional<ProxyFault> ProxyFaultOf(const HttpHeaders& headers);

}  // namespace coord

#endif  // SERVER_HTTP_PROXY_STATUS_H_
