#include "server/file_limit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

namespace coord {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kMany = 1 << 20;

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
  const std::uint64_t before = FilesNeeded(config, kMany);
  config.listener.max_connections += 10;
  config.fanout.max_node_calls += 100;
  config.http_client.max_total_idle += 1000;
  EXPECT_EQ(FilesNeeded(config, kMany), before + 2 * 10 + 2 * 100 + 1000);
}

TEST(FileLimit, DefaultsStayWhereFilesAreMany) {
  const Config config = FitToFileLimit(Config(), kMany);
  EXPECT_EQ(config.listener.max_connections, Config().listener.max_connections);
  EXPECT_EQ(config.fanout.max_node_calls, Config().fanout.max_node_calls);
  EXPECT_EQ(config.http_client.max_total_idle,
            Config().http_client.max_total_idle);
}

class FewFilesTest : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(FewFilesTest, LowerTheDefaultsAlike) {
  const Config config = FitToFileLimit(Config(), GetParam());
  EXPECT_LE(FilesNeeded(config, GetParam()), GetParam());
  EXPECT_GE(FilesNeeded(config, GetParam()), GetParam() - 8);  // but for rests
  EXPECT_NEAR(config.fanout.max_node_calls,
              4.0 * config.listener.max_connections, 4);
  EXPECT_EQ(config.http_client.max_total_idle, config.listener.max_connections);
}

TEST_P(FewFilesTest, LeaveALimitThatSomebodyHasSet) {
  Config config;
  config.fanout.max_node_calls = 200;
  config.node_calls_set = true;
  config = FitToFileLimit(config, GetParam());
  EXPECT_EQ(config.fanout.max_node_calls, 200);
  EXPECT_LE(FilesNeeded(config, GetParam()), GetParam());
}

INSTANTIATE_TEST_SUITE_P(FileLimit, FewFilesTest,
                         ::testing::Values(1024, 4096, 20'000));

TEST(FileLimit, WhatSomebodyHasSetAndCannotHaveIsLeftAndTold) {
  Config config;
  config.fanout.max_node_calls = 10'000;
  config.node_calls_set = true;
  config = FitToFileLimit(config, 1024);
  EXPECT_EQ(config.fanout.max_node_calls, 10'000);
  EXPECT_THAT(FileLimitWarning(1024, FilesNeeded(config, 1024)),
              HasSubstr("limited to 1024, the settings may use"));
}

TEST(FileLimit, OnlyALackIsTold) {
  EXPECT_EQ(FileLimitWarning(100, 100), "");
  EXPECT_THAT(FileLimitWarning(99, 100),
              HasSubstr("limited to 99, the settings may use 100: raise"));
}

}  // namespace
}  // namespace coord
