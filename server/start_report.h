// What the log says first.
#ifndef SERVER_START_REPORT_H_
#define SERVER_START_REPORT_H_

#include <cstdint>
#include <string_view>

#include "server/config.h"

namespace coord {

// One line with what is served where and the limits that `files`, as many as
// may be open, allow; before it a warning where what somebody has set needs
// more.
void TellStart(const Config& config, std::uint64_t files,
               std::string_view grpc_address, std::string_view http_address);

}  // namespace coord

#endif  // SERVER_START_REPORT_H_
