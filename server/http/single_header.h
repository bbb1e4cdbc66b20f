// Headers that a request has once.
#ifndef SERVER_HTTP_SINGLE_HEADER_H_
#define SERVER_HTTP_SINGLE_HEADER_H_

#include <string_view>

namespace coord {

// Whether a request may have one header `name` only, since one server would act
// on the first and another on the last: host, authorization, content-type.
bool IsSingleHeader(std::string_view name);

}  // namespace coord

#endif  // SERVER_HTTP_SINGLE_HEADER_H_
