// The file that tells where clusterd listens.
#ifndef SERVER_PORT_FILE_H_
#define SERVER_PORT_FILE_H_

#include <string>

#include "absl/status/status.h"

namespace coord {

// Writes `grpc=<address>` and `http=<address>`, a line each. A reader never
// sees half of it. Errors: UNAVAILABLE, naming the path.
absl::Status WritePortFile(const std::string& path, const std::string& grpc,
                           const std::string& http);

}  // namespace coord

#endif  // SERVER_PORT_FILE_H_
