#include <iostream>

#include "client/ctl/command.h"

int main(int argc, char** argv) {
  return static_cast<int>(coord::RunClusterctl(
      {argv + (argc > 0 ? 1 : 0), argv + argc}, std::cout, std::cerr));
}
