// Help, arguments and options of all commands.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "client/ctl/command.h"
#include "tests/support/scoped_environment.h"
#include "tests/unit/client/clusterctl_fixture.h"

namespace coord {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST_F(ClusterctlTest, HelpNamesEveryCommandUnderAHeading) {
  EXPECT_EQ(Run({"--help"}), ExitCode::kOk);
  for (const char* text :
       {"\nRegistrations:\n", "\nClusters:\n", "\n  register ",
        "\n  keepalive ", "\n  drain ", "\n  undrain ", "\n  unregister ",
        "\n  evict ", "\n  status ", "\n  clusters ", "\n  servers ",
        "\n  watch ", "\n  call ", "\n  health ", "\nExit codes:\n"}) {
    EXPECT_THAT(out(), HasSubstr(text));
  }
}

TEST_F(ClusterctlTest, CommandHelpNeedsNoArguments) {
  EXPECT_EQ(Run({"call", "--help"}), ExitCode::kOk);
  EXPECT_THAT(out(), HasSubstr("usage: clusterctl call [options] TYPE METHOD "
                               "PATH\n"));
  EXPECT_EQ(err(), "");
}

TEST_F(ClusterctlTest, VersionIsOneLine) {
  EXPECT_EQ(Run({"--version"}), ExitCode::kOk);
  EXPECT_THAT(out(), testing::MatchesRegex("clusterctl [0-9.]+\n"));
}

TEST_F(ClusterctlTest, BadUsageNamesWhatIsAllowed) {
  EXPECT_EQ(Run({"regster"}), ExitCode::kBadUsage);
  EXPECT_THAT(err(), StartsWith("clusterctl: regster: unknown command; "
                                "commands are register, keepalive, "));
  EXPECT_EQ(Run({}), ExitCode::kBadUsage);
  EXPECT_THAT(err(), HasSubstr("no command; commands are "));
  EXPECT_EQ(Run({"--verbose", "status"}), ExitCode::kBadUsage);
  EXPECT_THAT(err(), HasSubstr("--verbose: unknown option; options are "));
  EXPECT_EQ(Run({"call", "orders", "GET", "/", "--policy", "most"}),
            ExitCode::kBadUsage);
  EXPECT_THAT(err(), HasSubstr("use best_effort, all, majority, first=N or "
                               "at_least=N"));
  EXPECT_EQ(Run({"register", "orders"}), ExitCode::kBadUsage);
  EXPECT_THAT(err(), HasSubstr("either --url or --local-base-url is required"));
  EXPECT_EQ(Run({"register", "orders", "--url", "http://a:1",
                 "--local-base-url", "http://b:1"}),
            ExitCode::kBadUsage);
  EXPECT_EQ(Run({"evict", "orders", "node-1"}), ExitCode::kBadUsage);
  EXPECT_THAT(err(), HasSubstr("--etag is required"));
}

TEST_F(ClusterctlTest, NamesTheAddressThatCannotBeReached) {
  server_.Stop();
  EXPECT_EQ(Run({"status"}), ExitCode::kFailed);
  EXPECT_THAT(err(), StartsWith("clusterctl: clusterd at " + server_.address() +
                                " cannot be reached: "));
}

TEST_F(ClusterctlTest, AnAddressThatIsNoneIsBadUsage) {
  EXPECT_EQ(Run({"status", "--address", "http://clusterd:7700"}),
            ExitCode::kBadUsage);
  EXPECT_EQ(err(),
            "clusterctl: connect to \"http://clusterd:7700\": is not "
            "HOST[:PORT] or unix:PATH\n");
}

TEST_F(ClusterctlTest, TakesTheAddressFromTheEnvironment) {
  server_.on_list_registrations = [](const auto&, auto*) {
    return grpc::Status::OK;
  };
  const ScopedEnvironment address("CLUSTERD_ADDRESS", server_.address());
  EXPECT_EQ(RunClusterctl({"status"}, out_, err_), ExitCode::kOk) << err();
  EXPECT_EQ(out(), "nothing is registered here\n");
}

// The options of a command as its help shows them: name, and placeholder if it
// takes a value.
std::vector<std::pair<std::string, std::string>> OptionsIn(
    const std::string& help) {
  static const std::regex option("\n  (--[^ ]+) ([^ ]*) ");
  std::vector<std::pair<std::string, std::string>> options;
  for (std::sregex_iterator it(help.begin(), help.end(), option), end;
       it != end; ++it) {
    options.emplace_back((*it)[1], (*it)[2]);
  }
  return options;
}

TEST_F(ClusterctlTest, EveryOptionIsTakenWithDashesAndWithUnderscores) {
  for (const char* command :
       {"register", "keepalive", "drain", "undrain", "unregister", "evict",
        "status", "clusters", "servers", "watch", "call", "health"}) {
    ASSERT_EQ(Run({command, "--help"}), ExitCode::kOk);
    const auto options = OptionsIn(out());
    ASSERT_GE(options.size(), 6u) << out();
    for (const auto& [name, placeholder] : options) {
      EXPECT_THAT(name, testing::MatchesRegex("--[a-z]+(-[a-z]+)*"));
      std::string older = name;
      std::replace(older.begin() + 2, older.end(), '-', '_');
      for (const std::string& spelling : {name, older}) {
        Run({command, placeholder.empty() ? spelling : spelling + "=1",
             "--help"});
        EXPECT_THAT(err(), Not(HasSubstr("unknown option"))) << spelling;
      }
    }
  }
}

TEST_F(ClusterctlTest, NoOptionTakesWhatFollowsAnEmptyValue) {
  for (const std::vector<std::string>& empty :
       {std::vector<std::string>{"--session="}, {"--session", ""}}) {
    std::vector<std::string> args = {"unregister", "orders", "node-1"};
    args.insert(args.end(), empty.begin(), empty.end());
    args.push_back("--json");
    EXPECT_EQ(Run(args), ExitCode::kBadUsage);
    EXPECT_THAT(err(), HasSubstr("--session: must not be empty"));
  }
}

}  // namespace
}  // namespace coord
