#include "server/file_limit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

namespace coord {
namespace {

using ::testing::HasSubstr;

rlimit Limit() {
  rlimit limit{};
  EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  return limit;
}

TEST(FileLimit, IsRaisedAsFarAsAllowed) {
  const rlimit before = Limit();
  rlimit lowered = before;
  lowered.rlim_cur = 64;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &lowered), 0);
  EXPECT_EQ(RaiseFileLimit(), before.rlim_max);
  EXPECT_EQ(Limit().rlim_cur, before.rlim_max);
  setrlimit(RLIMIT_NOFILE, &before);
}

TEST(FileLimit, EveryLimitOfTheSettingsCounts) {
  Config config;
  const std::uint64_t before = FilesNeeded(config);
  config.listener.max_connections += 10;
  config.fanout.max_node_calls += 100;
  config.http_client.max_total_idle += 1000;
  EXPECT_EQ(FilesNeeded(config), before + 2 * 10 + 2 * 100 + 1000);
}

TEST(FileLimit, OnlyALackIsTold) {
  EXPECT_EQ(FileLimitWarning(100, 100), "");
  EXPECT_THAT(FileLimitWarning(99, 100),
              HasSubstr("limited to 99, the settings may use 100: raise"));
}

}  // namespace
}  // namespace coord
