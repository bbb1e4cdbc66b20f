#include <cstdlib>
#include <iostream>

#include "client/ctl/command.h"

int main(int argc, char** argv) {
  // What gRPC would log comes back as a status, and is told once.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  return static_cast<int>(coord::RunClusterctl(
      {argv + (argc > 0 ? 1 : 0), argv + argc}, std::cout, std::cerr));
}
