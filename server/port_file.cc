#include "server/port_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace coord {

absl::Status WritePortFile(const std::string& path, const std::string& grpc,
                           const std::string& http) {
  const std::string unfinished = path + ".part";
  std::ofstream file(unfinished, std::ios::trunc);
  file << "grpc=" << grpc << "\nhttp=" << http << "\n";
  file.close();
  if (!file || std::rename(unfinished.c_str(), path.c_str()) != 0) {
    return absl::UnavailableError(
        absl::StrCat("write the port file ", path, ": ", std::strerror(errno)));
  }
  return absl::OkStatus();
}

}  // namespace coord
