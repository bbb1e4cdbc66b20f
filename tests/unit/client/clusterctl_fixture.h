// Whole commands against a scripted clusterd.
#ifndef TESTS_UNIT_CLIENT_CLUSTERCTL_FIXTURE_H_
#define TESTS_UNIT_CLIENT_CLUSTERCTL_FIXTURE_H_

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "client/ctl/command.h"
#include "tests/unit/client/scripted_server.h"

namespace coord {

class ClusterctlTest : public testing::Test {
 protected:
  ExitCode Run(std::vector<std::string> args) {
    out_.str("");
    err_.str("");
    args.insert(args.begin(), {"--address", server_.address()});
    return RunClusterctl(args, out_, err_);
  }
  std::string out() const { return out_.str(); }
  std::string err() const { return err_.str(); }

  ScriptedServer server_;
  std::ostringstream out_;
  std::ostringstream err_;
};

}  // namespace coord

#endif  // TESTS_UNIT_CLIENT_CLUSTERCTL_FIXTURE_H_
